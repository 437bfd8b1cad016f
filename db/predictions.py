"""Predictions as rows: which network did what to which film, so that a call goes on where an earlier one stopped."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from db.runs import find_run, resume_run, start_run, utc_now
from db.transactions import transaction
from db.waiting_connection import WaitingConnection

COLUMNS = ("file", "name", "input_sha256", "network", "height", "width", "row_spacing_mm", "column_spacing_mm", "review",
           "remarks", "predicted_dice", "predicted_dice_right_lung", "predicted_dice_left_lung", "predicted_dice_heart",
           "strangeness")  # fmt: skip
"""Columns of `prediction` that the caller fills."""


class Done(NamedTuple):
    """A film that a run has done before: its results' name, its bytes' hash, and the (row, column) spacing in mm, if known."""

    name: str
    input_sha256: str
    spacing_mm: tuple[float, float] | None = None


def open_prediction_run(connection: sqlite3.Connection, folder: Path, network: str, config: dict) -> int:
    """Return the run_id of a folder's predictions; where the latest are by another network, start a new run."""
    stored = find_run(connection, "predict", folder)
    config = {**config, "network": network}
    if stored is not None and json.loads(stored["config"]).get("network") == network:
        resume_run(connection, stored["run_id"], config)
        return stored["run_id"]
    return start_run(connection, "predict", folder, config)


def films_done(connection: sqlite3.Connection, run_id: int) -> dict[str, Done]:
    """Return by file what a run has done."""
    rows = connection.execute(
        "SELECT file, name, input_sha256, row_spacing_mm, column_spacing_mm FROM prediction WHERE run_id = ?", (run_id,)
    )
    return {
        file: Done(name, content, None if row is None else (row, column)) for file, name, content, row, column in rows
    }


def names_given(connection: sqlite3.Connection, folder: Path) -> dict[str, str]:
    """Return by file the name of its results in a folder, by whatever network: their pictures lie side by side there."""
    rows = connection.execute(
        "SELECT file, name FROM prediction JOIN run USING (run_id) WHERE folder = ? ORDER BY prediction_id",
        (os.path.abspath(folder),),
    )
    return {row["file"]: row["name"] for row in rows}


def stored_spacing(database: Path, content_sha256: str) -> tuple[float, float] | None:
    """Return the (row, column) spacing in mm that a database states of a film, known by its bytes; None where it does not.

    The database is opened for this one question, as it is asked from many threads.
    """
    statement = (
        "SELECT row_spacing_mm, column_spacing_mm FROM image "
        "WHERE content_sha256 = ? AND duplicate_of IS NULL AND row_spacing_mm > 0 AND column_spacing_mm > 0"
    )
    with closing(sqlite3.connect(database, timeout=0, factory=WaitingConnection)) as connection:
        return connection.execute(statement, (content_sha256,)).fetchone()  # of a plain connection: a tuple


def write_prediction(
    connection: sqlite3.Connection,
    run_id: int,
    values: dict[str, object],
    measurements: Iterable[tuple[str, float, str, float | None]],
) -> None:
    """Write one film with its measurements (name, value, unit, spread); what the run held of that file is replaced.

    values: COLUMNS. Where the database has a film of the same bytes, the measurements are written to `measurement` too.
    """
    found = connection.execute(
        "SELECT image_id FROM image WHERE content_sha256 = ? AND duplicate_of IS NULL", (values["input_sha256"],)
    ).fetchone()
    image_id = found and found["image_id"]
    names = ", ".join(COLUMNS)
    measured = list(measurements)
    with transaction(connection):
        _forget(connection, run_id, values["file"])
        cursor = connection.execute(
            f"INSERT INTO prediction (run_id, image_id, predicted_at, {names}) VALUES (?, ?, ?{', ?' * len(COLUMNS)})",
            (run_id, image_id, utc_now(), *(values.get(column) for column in COLUMNS)),
        )
        connection.executemany(
            "INSERT INTO prediction_measurement (prediction_id, name, value, unit, spread) VALUES (?, ?, ?, ?, ?)",
            [(cursor.lastrowid, *row) for row in measured],
        )
        if image_id is not None:
            connection.execute("DELETE FROM measurement WHERE run_id = ? AND image_id = ?", (run_id, image_id))
            connection.executemany(
                "INSERT INTO measurement (run_id, image_id, name, value, unit, spread) VALUES (?, ?, ?, ?, ?, ?)",
                [(run_id, image_id, *row) for row in measured],
            )


def move_prediction(connection: sqlite3.Connection, run_id: int, file: str, to: str) -> None:
    """Say where a film lies now that a run has done before."""
    with transaction(connection):
        connection.execute("UPDATE prediction SET file = ? WHERE run_id = ? AND file = ?", (to, run_id, file))


def forget_prediction(connection: sqlite3.Connection, run_id: int, file: str) -> None:
    """Remove what a run holds of a film, including its measurements."""
    with transaction(connection):
        _forget(connection, run_id, file)


def _forget(connection: sqlite3.Connection, run_id: int, file: str) -> None:
    """Delete a film's prediction, and its measurements unless another file of the run holds the same film."""
    found = "prediction WHERE run_id = ? AND file = ?"
    gone = connection.execute(f"SELECT image_id FROM {found}", (run_id, file)).fetchall()
    connection.execute(f"DELETE FROM {found}", (run_id, file))
    connection.executemany(
        "DELETE FROM measurement WHERE run_id = :run_id AND image_id = :image_id "
        "AND NOT EXISTS (SELECT 1 FROM prediction WHERE run_id = :run_id AND image_id = :image_id)",
        [{"run_id": run_id, "image_id": row["image_id"]} for row in gone],
    )


def measurement_columns(connection: sqlite3.Connection, run_id: int) -> list[str]:
    """Return the names of all that a run measured, in order of first appearance, each followed by `<name>_spread` if known."""
    rows = connection.execute(
        "SELECT m.name, max(m.spread) AS spread FROM prediction_measurement m JOIN prediction USING (prediction_id) "
        "WHERE run_id = ? GROUP BY m.name ORDER BY min(m.rowid)",
        (run_id,),
    )
    return [c for row in rows for c in (row["name"], *([] if row["spread"] is None else [f"{row['name']}_spread"]))]


def count_predictions(connection: sqlite3.Connection, run_id: int) -> dict[str, int]:
    """Return how many films a run has done, and how many of them are to be reviewed."""
    row = connection.execute(
        "SELECT count(*) AS films, coalesce(sum(review <> ''), 0) AS review FROM prediction WHERE run_id = ?", (run_id,)
    ).fetchone()
    return {"films": row["films"], "review": row["review"]}


def read_predictions(connection: sqlite3.Connection, run_id: int, doubtful: int | None = None) -> Iterator[dict]:
    """Yield the films of a run in the order they were done, each with its measurements by name and `<name>_spread`.

    doubtful: only so many of them, those to review first.
    """
    order = "prediction_id" if doubtful is None else "review = '', predicted_dice, prediction_id"
    rows = connection.execute(
        f"SELECT * FROM prediction WHERE run_id = ? ORDER BY {order} LIMIT ?",
        (run_id, -1 if doubtful is None else doubtful),
    )
    for row in rows:
        measured = connection.execute(
            "SELECT name, value, spread FROM prediction_measurement WHERE prediction_id = ?", (row["prediction_id"],)
        ).fetchall()
        spreads = {f"{m['name']}_spread": m["spread"] for m in measured if m["spread"] is not None}
        yield {**dict(row), **{m["name"]: m["value"] for m in measured}, **spreads}
