"""A command's settings are one frozen dataclass: flags, --help, --config FILE.toml and the stored JSON come from its fields."""

import argparse
import dataclasses
import json
import sys
import tomllib
import types
import typing
from pathlib import Path
from typing import Any, NoReturn, TypeVar

Config = TypeVar("Config")


def setting(default: Any, help: str, choices: tuple = (), positional: bool = False) -> Any:
    """Declare one field of a settings dataclass with its default, help text (with unit) and allowed values.

    A positional field takes the arguments that are not flags; its type is then tuple[Path, ...] or tuple[str, ...].
    """
    metadata = {"help": help, "choices": choices, "positional": positional}
    return dataclasses.field(default=default, metadata=metadata)


def parse_settings(config_class: type[Config], argv: list[str], description: str) -> Config:
    """Build the settings from the command line; a flag wins over --config FILE.toml, which wins over the default.

    Ends the process with status 2 and one line when the call is wrong, as argparse does.
    """
    return config_class(**given_settings(config_class, argv, description))


def given_settings(config_class: type, argv: list[str], description: str) -> dict[str, Any]:
    """Return only what the command line and its --config file state, by field; ends as `parse_settings` does."""
    parser = _build_parser(config_class, description)
    given = vars(parser.parse_intermixed_args(argv))
    file = given.pop("config")
    given.pop("debug", None)  # cli.command reads it
    try:
        return {**({} if file is None else _read_toml(config_class, file)), **given}
    except (ValueError, OSError) as error:
        parser.error(str(error))


def settings_as_dict(config: Any) -> dict[str, Any]:
    """Return the settings as JSON-ready values: paths as text, tuples as lists."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=str))


def settings_from_dict(config_class: type[Config], values: dict[str, Any]) -> Config:
    """Rebuild settings from `settings_as_dict`; keys the class does not know are an error that names them."""
    hints = typing.get_type_hints(config_class)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"unknown settings {', '.join(unknown)}; known: {', '.join(hints)}")
    return config_class(**{name: _convert(hints[name], value, name) for name, value in values.items()})


def _build_parser(config_class: type, description: str) -> argparse.ArgumentParser:
    parser = _Parser(
        description=description, argument_default=argparse.SUPPRESS, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        _add_flag(parser, field, hints[field.name])
    parser.add_argument(
        "--config", type=Path, default=None, metavar="FILE.toml", help="read the same settings from a file"
    )
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    return parser


def _add_flag(parser: argparse.ArgumentParser, field: dataclasses.Field, hint: Any) -> None:
    help_text = (field.metadata["help"] + _default_text(field.default)).replace("%", "%%")
    kind = _element_type(hint)
    if field.metadata["positional"]:
        parser.add_argument(field.name, nargs="*", type=kind, action=_TupleAction, help=help_text)
    elif hint is bool:
        parser.add_argument(_flag(field), action=argparse.BooleanOptionalAction, help=help_text)
    elif typing.get_origin(hint) is tuple:
        parser.add_argument(
            _flag(field), type=_comma_list(kind), action=_ExtendTuple, metavar="A,B,...", help=help_text
        )
    else:
        choices = field.metadata["choices"] or None
        metavar = None if choices else kind.__name__.upper()
        parser.add_argument(_flag(field), type=kind, choices=choices, metavar=metavar, help=help_text)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End in one line; argparse would print all flags before it."""
        self.exit(2, f"error: {message}; --help lists all settings\n")


class _ExtendTuple(argparse.Action):
    """A list that is given in several flags is the whole of them: argparse would keep the last one and say nothing."""

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), *values))


class _TupleAction(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        if values:
            setattr(namespace, self.dest, tuple(values))


def _flag(field: dataclasses.Field) -> str:
    return "--" + field.name.replace("_", "-")


def _default_text(default: Any) -> str:
    if default in (None, (), ""):
        return ""
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    return f" (default: {shown})"


def _element_type(hint: Any) -> type:
    """Return the type of one value: X for X | None and for tuple[X, ...]."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0]
    return hint


def _comma_list(kind: type):
    def parse(text: str) -> tuple:
        parts = [part.strip() for part in text.split(",")]
        if not any(parts):
            raise argparse.ArgumentTypeError("nothing is named; leave the flag out, or name something")
        return tuple(kind(part) for part in parts if part)

    parse.__name__ = f"comma-separated {kind.__name__}"
    return parse


def _read_toml(config_class: type, path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise FileNotFoundError(f"--config {path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise ValueError(f"--config {path}: no TOML file that can be read ({error})") from error
    hints = typing.get_type_hints(config_class)
    values = {name.replace("-", "_"): value for name, value in values.items()}
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"--config {path}: unknown settings {', '.join(unknown)}; known: {', '.join(hints)}")
    for field in dataclasses.fields(config_class):
        choices = field.metadata["choices"]
        if choices and field.name in values and values[field.name] not in choices:
            raise ValueError(
                f"--config {path}: {field.name} = {values[field.name]!r}; wanted one of {', '.join(map(str, choices))}"
            )
    return {name: _convert(hints[name], value, f"--config {path}: {name}") for name, value in values.items()}


def _convert(hint: Any, value: Any, where: str) -> Any:
    kind = _element_type(hint)
    if value is None:
        return None
    if typing.get_origin(hint) is tuple:
        return tuple(_convert(kind, part, where) for part in (value if isinstance(value, list | tuple) else [value]))
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise ValueError(f"{where}: a number of {len(str(abs(value)))} digits; wanted a smaller one")
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{where} = {value!r} is a {type(value).__name__}; wanted a {kind.__name__}")
    return value
