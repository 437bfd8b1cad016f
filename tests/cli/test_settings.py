from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.settings import parse_settings, setting, settings_as_dict, settings_from_dict


@dataclass(frozen=True)
class Example:
    films: tuple[Path, ...] = setting((), "films to read", positional=True)
    db: Path | None = setting(None, "database")
    epochs: int = setting(3, "epochs")
    rate: float = setting(0.1, "learning rate, 100 % of it")
    preset: str = setting("fast", "preset", choices=("fast", "accurate"))
    mirror: bool = setting(False, "mirror")
    source: tuple[str, ...] = setting(("all",), "sources")


def parse(*argv):
    return parse_settings(Example, list(argv), "An example.")


def test_no_flag_gives_the_defaults():
    assert parse() == parse("--debug") == Example()


def test_flags_are_typed_by_the_fields():
    config = parse("a b.png", "c.png", "--db", "x.sqlite", "--epochs", "7", "--mirror", "--source", "a, b")
    films = (Path("a b.png"), Path("c.png"))
    assert config == Example(films, Path("x.sqlite"), 7, mirror=True, source=("a", "b"))


def test_films_may_stand_on_both_sides_of_a_flag():
    assert parse("a.png", "--epochs", "7", "b.png") == parse("a.png", "b.png", "--epochs", "7")


def test_a_list_in_several_flags_is_the_whole_of_them(tmp_path):
    assert parse("--source", "a,b", "--source", "c").source == ("a", "b", "c")
    (tmp_path / "own.toml").write_text('source = ["x"]\n')
    assert parse("--config", str(tmp_path / "own.toml"), "--source", "c").source == ("c",), "flags win over the file"


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('epochs = 9\nrate = 1\ndb = "f.sqlite"\nsource = ["x"]\n')
    config = parse("--config", str(file), "--epochs", "5")
    assert config == Example(epochs=5, rate=1.0, db=Path("f.sqlite"), source=("x",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 9", "unknown settings epoch; known: films, db, epochs"),
        ('epochs = "many"', "wanted a int"),
        ('preset = "slow"', "wanted one of fast, accurate"),
        ("epochs = ", "Invalid value"),
        (f"rate = 1{'0' * 400}", "own.toml: rate: a number of 401 digits; wanted a smaller one"),
        (b"epochs = 9 # \xff", "own.toml: no TOML file that can be read"),
        ("epochs = " + "[" * 5000, "own.toml: no TOML file that can be read"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path, capsys, text, message):
    file = tmp_path / "own.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SystemExit) as stop:
        parse("--config", str(file))
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_a_file_may_begin_with_a_byte_order_mark_but_must_be_a_file(tmp_path, capsys):
    (tmp_path / "own.toml").write_bytes(b"\xef\xbb\xbfepochs = 9")
    assert parse("--config", str(tmp_path / "own.toml")).epochs == 9
    with pytest.raises(SystemExit):
        parse("--config", str(tmp_path))
    assert f"--config {tmp_path}: no TOML file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["--epochs", "x"], ["--preset", "slow"], ["--unknown", "1"], ["--epo", "3"], ["--source", " ,"]]
)
def test_a_wrong_call_ends_with_status_two(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(*argv)
    err = capsys.readouterr().err
    assert stop.value.code == 2 and err.startswith("error: ") and err.count("\n") == 1 and "--help" in err


def test_help_shows_every_field_with_its_default(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = capsys.readouterr().out
    assert "learning rate, 100 % of it (default: 0.1)" in text.replace("\n", " ") and "--no-mirror" in text


def test_settings_survive_json():
    config = Example((Path("a"),), Path("x"), source=("p", "q"))
    assert settings_from_dict(Example, settings_as_dict(config)) == config
    with pytest.raises(ValueError, match="unknown settings speed"):
        settings_from_dict(Example, {"speed": 1})
