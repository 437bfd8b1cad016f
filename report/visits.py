"""How often patients come back, and after how many days; this file returns differences of dates, never dates."""

from collections.abc import Iterable
from datetime import date

import numpy as np

from report.cohort import Rows
from report.page import Table


def visits(rows: Rows) -> tuple[list[int], list[float]]:
    """Return the number of studies of every patient, and the days from each study to the patient's next one where known.

    Days come from the source's own offsets, else from dates that are stated to the day; an offset is never compared with a date
    or with another source's offset, which counts from another day.
    """
    studies: dict[str, dict[str, tuple[str, float] | None]] = {}
    for row in rows:
        studies.setdefault(row["patient_id"], {}).setdefault(row["study_id"], study_day(row))
    days: list[float] = []
    for own in studies.values():
        known = sorted(day for day in own.values() if day is not None)
        pairs = zip(known, known[1:], strict=False)
        days += [later - earlier for (scale, earlier), (other, later) in pairs if scale == other]
    return [len(own) for own in studies.values()], days


def study_day(row: dict) -> tuple[str, float] | None:
    """Return what a study's day is counted from, and its number; None where it is not known to the day."""
    if row["offset_days"] is not None:
        return f"first event in {row['source']}", row["offset_days"]
    try:
        return "calendar", float(date.fromisoformat(row["study_date"] or "").toordinal())
    except ValueError:
        return None


def visit_table(studies: list[int], days: list[float]) -> Table:
    """Return studies per patient and days between studies: number, median, quartiles, most."""
    lines = [_line("studies per patient", studies), _line("days to the next study", days)]
    return Table(
        ("", "n", "median", "1st quartile", "3rd quartile", "most"), lines, source="db/queries/cohort_images.sql"
    )


def _line(title: str, values: Iterable[float]) -> tuple:
    numbers = np.array(list(values), np.float64)
    if not len(numbers):
        return (title, 0, None, None, None, None)
    low, median, high = np.percentile(numbers, [25, 50, 75])
    return (title, len(numbers), *map(_plain, (median, low, high, numbers.max())))


def _plain(value: float) -> float | int:
    """Days and studies are counted, so that most quartiles are whole numbers."""
    return int(value) if value == int(value) else float(value)
