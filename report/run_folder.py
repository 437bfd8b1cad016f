"""The plain files of a run's folder: settings and facts, split, numbers per epoch, tables."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data.writing import atomic_file
from db.records import ImageRecord

# Tables that say whose results a folder holds where no settings.json does, as that of a comparison does not.
WRITERS = {"predictions.csv": "predict", "comparison.csv": "predict --compare"}


def write_config(folder: Path, settings: dict, facts: dict) -> None:
    """Write config.json: the effective settings and what was found when the run began (films, device, precision)."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "config.json") as file:
        file.write((json.dumps({"settings": settings, "facts": facts}, indent=2) + "\n").encode())


def write_settings(folder: Path, command: str, settings: dict, asked: Mapping[str, str] | None = None) -> None:
    """Write settings.json: the effective settings of a command other than train.py, whose config.json may lie there too.

    asked: which films the results are of, for `check_same_films`.
    """
    content = {"command": command, "settings": settings, **({"asked": dict(asked)} if asked else {})}
    with atomic_file(folder / "settings.json") as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def check_command(folder: Path, command: str) -> None:
    """Raise ValueError where a folder holds the results of another command, whose page and masks this one's would replace."""
    path = folder / "settings.json"
    found = {table: writer for table, writer in WRITERS.items() if (folder / table).exists()}
    others = {*found.values(), read_json(path).get("command") if path.is_file() else None} - {None, command}
    if others:
        raise ValueError(
            f"--out {folder} holds results of {min(map(str, others))}, which those of {command} would replace; name another --out"
        )


def check_same_films(folder: Path, asked: Mapping[str, str]) -> None:
    """Raise ValueError where a folder's results are of another database or query than asked: these may share a name."""
    path = folder / "settings.json"
    before = read_json(path).get("asked", {}) if path.is_file() else {}
    for name in asked:
        if name in before and before[name] != asked[name]:
            raise ValueError(
                f"{folder} holds results of another --{name}, which these would replace; name an --out for these"
            )


def read_json(path: Path) -> dict:
    """Return the object that a JSON file holds; ValueError with the file's name where it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; it is cut off or not written by this toolkit") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: holds {type(found).__name__}, wanted an object; it is not written by this toolkit")
    return found


def read_facts(folder: Path) -> dict:
    """Return what was found when a run began, as `write_config` wrote it; empty where there is no config.json."""
    path = folder / "config.json"
    return read_json(path).get("facts", {}) if path.is_file() else {}


def write_split(folder: Path, records: Sequence[ImageRecord]) -> None:
    """Write split.csv: which film of which patient is in which split."""
    rows = [(r.source, r.image_id, r.file, r.patient_id, r.split, r.content_sha256) for r in records]
    write_csv(folder / "split.csv", ("source", "image_id", "file", "patient_id", "split", "content_sha256"), rows)


def write_metrics(folder: Path, history: Sequence[dict]) -> None:
    """Write metrics.csv anew: one line per epoch, so that a resumed run has no line twice."""
    columns = tuple(history[0])
    write_csv(folder / "metrics.csv", columns, [[row[column] for column in columns] for row in history])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV file atomically; None becomes an empty cell."""
    text = io.StringIO(newline="")
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in itertools.chain([columns], rows):  # Python before 3.13 leaves a carriage return bare, which ends a row
        (quoted if any("\r" in cell for cell in row if isinstance(cell, str)) else plain).writerow(row)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode("utf-8"))


def write_curves(folder: Path, history: Sequence[dict]) -> None:
    """Draw curves.png: losses and validation Dice over the epochs."""
    from report.figures import curves_figure, figure_bytes  # matplotlib takes a second to import; only the end needs it

    with atomic_file(folder / "curves.png") as file:
        file.write(figure_bytes(curves_figure(history)))
