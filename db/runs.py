"""Runs and their epochs: every call of a command is a row, so each number of a report can be traced to its settings."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

EPOCH_COLUMNS = (
    "train_loss", "val_loss", "val_dice_lungs", "val_dice_heart", "learning_rate", "films_per_second", "seconds",
)  # fmt: skip


def start_run(
    connection: sqlite3.Connection, command: str, folder: str | Path, config: dict, parent_id: int | None = None
) -> int:
    """Write a run with status 'running' and return its run_id. config: JSON-ready effective settings."""
    cursor = connection.execute(
        "INSERT INTO run (command, folder, parent_id, config, status, started_at) VALUES (?, ?, ?, ?, 'running', ?)",
        (command, os.path.abspath(folder), parent_id, json.dumps(config, sort_keys=True), utc_now()),
    )
    return cursor.lastrowid


def finish_run(connection: sqlite3.Connection, run_id: int, status: str = "finished") -> None:
    """Set a run's end: finished, interrupted or failed."""
    connection.execute("UPDATE run SET status = ?, finished_at = ? WHERE run_id = ?", (status, utc_now(), run_id))


@contextmanager
def closing_run(connection: sqlite3.Connection, run_id: int) -> Iterator[None]:
    """Set a run's end by how the block ends: finished, interrupted (Ctrl-C) or failed."""
    try:
        yield
    except BaseException as error:
        finish_run(connection, run_id, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    finish_run(connection, run_id)


def resume_run(connection: sqlite3.Connection, run_id: int, config: dict | None = None) -> None:
    """Mark a stopped run as running again, with other settings if they are given."""
    settings = None if config is None else json.dumps(config, sort_keys=True)
    connection.execute(
        "UPDATE run SET status = 'running', finished_at = NULL, config = coalesce(?, config) WHERE run_id = ?",
        (settings, run_id),
    )


def log_epoch(connection: sqlite3.Connection, run_id: int, epoch: int, values: dict[str, float | None]) -> None:
    """Write one epoch; an epoch done again after a resume replaces the earlier row. values: EPOCH_COLUMNS."""
    columns = ", ".join(EPOCH_COLUMNS)
    marks = ", ".join("?" * len(EPOCH_COLUMNS))
    connection.execute(
        f"INSERT OR REPLACE INTO epoch (run_id, epoch, {columns}) VALUES (?, ?, {marks})",
        (run_id, epoch, *(values.get(column) for column in EPOCH_COLUMNS)),
    )


def find_run(
    connection: sqlite3.Connection, command: str, folder: str | Path, status: str | None = None
) -> sqlite3.Row | None:
    """Return the newest run of a command whose results lie in a folder, of one status if that is given, or None."""
    return connection.execute(
        "SELECT * FROM run WHERE command = ? AND folder = ? AND status = coalesce(?, status) ORDER BY run_id DESC LIMIT 1",
        (command, os.path.abspath(folder), status),
    ).fetchone()


def utc_now() -> str:
    """Return the present date and time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
