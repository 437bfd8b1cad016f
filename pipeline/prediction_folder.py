"""The folder that predictions are written to: whose it is, and the files of each film in it."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from data.loading import hash_file
from data.reasons import as_utf8
from data.writing import is_written
from db.connection import connect
from db.predictions import COLUMNS, films_done, measurement_columns, move_prediction, read_predictions
from db.records import MASK_STRUCTURES
from db.runs import find_run
from pipeline.evaluation import remove_masks
from pipeline.formats import WRITTEN_AS
from report.run_folder import check_command, write_csv


def check_folder(out: Path, database: Path) -> None:
    """Refuse a folder with results that the database does not have: films of the same name would get each other's masks."""
    check_command(out, "predict")
    held = [name for name in ("predictions.csv", "masks", "overlays") if (out / name).exists()]
    if not held:
        return
    if database.is_file():
        with closing(connect(database)) as connection:
            if find_run(connection, "predict", out) is not None:
                return
    raise ValueError(
        f"--out {out} holds {held[0]}, of which the database {database} knows nothing: it was moved here, or another --db or "
        "program wrote it; name the --db that knows it, or another --out"
    )


def follow_moved(connection: sqlite3.Connection, run_id: int, films: Sequence[Path]) -> None:
    """Let the rows of a run follow films that lie elsewhere now: their old file is gone, and another one has its bytes."""
    done = films_done(connection, run_id)
    new = {as_utf8(film): film for film in films}
    gone: dict[str, list[str]] = {}  # several films may have the same bytes
    for file, own in done.items():
        if file not in new and not Path(file).exists():
            gone.setdefault(own.input_sha256, []).append(file)
    for file, film in new.items() if gone else ():
        if file not in done and film.is_file() and (old := gone.get(hash_file(film))):
            move_prediction(connection, run_id, old.pop(0), file)


def write_predictions(out: Path, connection: sqlite3.Connection, run_id: int) -> None:
    """Write all of predictions.csv: one row per film of the run."""
    columns = (*COLUMNS, *measurement_columns(connection, run_id))
    rows = ([row.get(column) for column in columns] for row in read_predictions(connection, run_id))
    write_csv(out / "predictions.csv", columns, rows)


def results_exist(out: Path, name: str) -> bool:
    """Tell whether every file of a film is there."""
    masks = [out / "masks" / structure / f"{name}.png" for structure in MASK_STRUCTURES]
    files = (*masks, out / "overlays" / f"{name}.jpg")
    return all(map(is_written, files))


def remove_results(out: Path, name: str) -> None:
    """Remove the files of a film whose row goes: masks of what it was before must not be taken for its own."""
    remove_masks(out / "masks", [name])
    (out / "overlays" / f"{name}.jpg").unlink(missing_ok=True)
    remove_segmentation(out, name)


def remove_segmentation(out: Path, name: str) -> None:
    """Remove the DICOM segmentation of a film whose masks change: it holds the former ones and names the former patient."""
    (out / WRITTEN_AS["dicom-seg"] / f"{name}.dcm").unlink(missing_ok=True)
