"""Per-film scores of a run: written as rows, so that every mean and every subgroup is a GROUP BY."""

import sqlite3
from collections.abc import Iterable

from db.transactions import transaction

METRIC_COLUMNS = (
    "dice", "iou", "precision", "recall", "specificity", "balanced_accuracy", "relative_area_error",
    "hd_mm", "hd95_mm", "assd_mm", "nsd_1mm", "nsd_2mm", "nsd_4mm",
    "hd_px", "hd95_px", "assd_px", "nsd_2px", "nsd_4px", "nsd_8px", "components",
)  # fmt: skip
"""Columns of `score` that hold numbers; which of _mm and _px are filled depends on whether the spacing is known."""

_KEYS = ("image_id", "structure", "split", "empty")


def write_scores(connection: sqlite3.Connection, run_id: int, scores: Iterable[dict]) -> None:
    """Write one row per film and structure, all in one transaction; a row written before is replaced.

    scores: dicts with image_id, structure, split, empty and any of METRIC_COLUMNS; an absent one is stored as NULL.
    """
    columns = (*_KEYS, *METRIC_COLUMNS)
    statement = f"INSERT OR REPLACE INTO score (run_id, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})"
    with transaction(connection):
        connection.executemany(statement, [(run_id, *(score.get(column) for column in columns)) for score in scores])


def write_measurements(
    connection: sqlite3.Connection, run_id: int, rows: Iterable[tuple[int, str, float, str, float | None]]
) -> None:
    """Write (image_id, name, value, unit, spread) of a run's masks; a value written before is replaced.

    rows: may be an iterator that measures as it goes; the database is locked only after the last row.
    """
    measured = [(run_id, *row) for row in rows]
    with transaction(connection):
        connection.executemany(
            "INSERT INTO measurement (run_id, image_id, name, value, unit, spread) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (image_id, name, coalesce(run_id, 0)) DO UPDATE SET value = excluded.value, "
            "unit = excluded.unit, spread = excluded.spread",
            measured,
        )


def write_qualities(connection: sqlite3.Connection, run_id: int, rows: Iterable[tuple[int, str, float, bool]]) -> None:
    """Write (image_id, structure, predicted_dice, doubtful) of a run's masks; a row written before is replaced."""
    with transaction(connection):
        connection.executemany(
            "INSERT OR REPLACE INTO predicted_quality (run_id, image_id, structure, predicted_dice, doubtful) "
            "VALUES (?, ?, ?, ?, ?)",
            [(run_id, *row) for row in rows],
        )
