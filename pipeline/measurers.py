"""Whose measurements a report shows, where the sources, stored masks and networks have measured the same films."""

import sqlite3
from collections.abc import Iterable, Sequence

from report.counts import counted

LISTED = 3  # runs that are named


def runs_to_show(connection: sqlite3.Connection, measuring: int | None, evaluation: int | None) -> list[int]:
    """Return the runs whose measurements are shown: one that measures the stored masks now, and an evaluation's.

    The reference masks of an evaluation are stored masks: where all of these are measured now, they are not shown twice.
    """
    runs = [run_id for run_id in (measuring, evaluation) if run_id is not None]
    if measuring is None:
        children = connection.execute(
            "SELECT run_id FROM run WHERE parent_id = ? AND command = 'measure'", (evaluation,)
        )
        runs += [row["run_id"] for row in children]
    return runs


def rows_to_show(names: Sequence[dict], runs: Sequence[int]) -> list[dict]:
    """Return, of rows of measurement_names.sql, those of the sources and of the runs.

    runs: if empty, of each measurement the run that took it on most films, the newest of several; one of stored masks comes
    before any of a network.
    """
    if runs:
        return [row for row in names if row["run_id"] in (None, *runs)]
    by_runs = [row for row in names if row["run_id"] is not None]
    by_runs.sort(key=lambda row: (row["of_stored_masks"], row["films"], row["run_id"]))
    best = {row["name"]: row for row in by_runs}  # the last one of a name stays
    return [row for row in names if row["run_id"] is None or row is best[row["name"]]]


def not_shown(names: Iterable[dict], shown: Sequence[dict]) -> str | None:
    """Say which runs measured too and have no row among those shown; None where all have."""
    seen = {row["measured_by"] for row in shown}
    films: dict[str, int] = {}
    for row in names:
        if row["measured_by"] not in seen:
            films[row["measured_by"]] = max(films.get(row["measured_by"], 0), row["films"])
    if not films:
        return None
    some = [f"{name} ({counted(films[name], 'film', 'films')})" for name in [*films][:LISTED]]
    rest = f" and {len(films) - LISTED} more" if len(films) > LISTED else ""
    return (
        f"Measured too, and not shown here: {', '.join(some)}{rest}. Of each measurement the values of one run stand beside the "
        "sources' own: of the one that took it on most films, stored masks before networks."
    )


def main_measurers(names: Sequence[dict]) -> list[dict]:
    """Return of each measurement the row of who took it on most films.

    Values of two measurers are never mixed in one comparison. Of two with equally many films the source comes first, then
    reference masks, whose run is later than that of the network they judge.
    """
    most: dict[str, dict] = {}
    for row in sorted(names, key=lambda row: (row["films"], row["run_id"] is None, row["run_id"] or 0)):
        most[row["name"]] = row
    return [row for row in names if most[row["name"]] is row]
