"""The columns of a manifest: those that are known, what a further one measures, and the words for those that are not used."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.sources.table import read_table
from db.records import MASK_STRUCTURES

FACT_COLUMNS = (
    "file", "patient_id", "study_id", "sex", "age_years", "study_date", "offset_days", "finding", "modality", "view",
    "body_part", "photometric", "pixel_spacing_mm", "mask_convention", "mask_provenance", "note", "license", "same_patient_as",
)  # fmt: skip
UNITS = {"ratio": "ratio", "mm": "mm", "mm2": "mm2", "deg": "deg"}
"""A further column whose name ends in one of these is a measurement, e.g. cardiothoracic_ratio, heart_width_mm."""


def named_rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the numbered rows of a table under the names that are known: "Pixel spacing (mm)" is pixel_spacing_mm.

    Of two columns that would have one name, both keep their own.
    """
    meant: dict[str, str] | None = None
    for line, row in read_table(table, ("file",)):
        meant = _known_names([*row]) if meant is None else meant  # every row has the same columns
        yield line, {meant.get(column, column): cell for column, cell in row.items()}


def unused_columns(columns: Sequence[str]) -> Iterator[str]:
    """Say which columns nobody reads, and which names are perhaps meant."""
    known = {*FACT_COLUMNS, *MASK_STRUCTURES}
    unused = [_with_guess(column) for column in columns if column and column not in known and not unit_of(column)]
    if unused:
        yield f"columns not used: {', '.join(unused)} (docs/data-formats.md lists those that are)"


def unit_of(column: str) -> str | None:
    """Return the unit of a measurement that a column gives by the end of its name; None where it is none."""
    if column in FACT_COLUMNS or "_" not in column:
        return None
    if "spacing" in column:  # a misspelt pixel_spacing_mm measures no patient
        return None
    return UNITS.get(column.rsplit("_", 1)[1])


def _known_names(columns: Sequence[str]) -> dict[str, str]:
    """Return the known name of each column that is written otherwise."""
    plain = {column: re.sub(r"[^a-z0-9]+", "_", column).strip("_") for column in columns}
    count = Counter([*plain.values(), *columns])  # a plain name that is its own counts twice
    return {
        column: name
        for column, name in plain.items()
        if count[name] == 1 and (name in (*FACT_COLUMNS, *MASK_STRUCTURES) or unit_of(name))
    }


def _with_guess(column: str) -> str:
    """Return the name of a column that is not used, with the one that is perhaps meant."""
    known = (*FACT_COLUMNS, *MASK_STRUCTURES)
    near = [name for name in known if name.startswith(f"{column}_")] or difflib.get_close_matches(
        column, known, 1, 0.75
    )
    return f"{column} ({near[0]}?)" if near else column
