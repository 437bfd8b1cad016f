"""CSV files as people's programs write them: separators, byte-order marks, blank rows, missing cells; packed with gzip or not."""

import csv
import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

SEPARATORS = (",", ";", "\t")  # spreadsheets of many countries write the second
LONGEST_CELL = 2**31 - 1  # run-length codes and landmarks are longer than the csv module expects


def read_table(path: Path, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) for each row with any text; every column is in the row, '' where the cell is empty or missing.

    Rows with fewer cells than columns are counted in a warning at the end. Column names are lower case without surrounding
    blanks. required: columns that the table must have. Raises ValueError for a missing or doubled column, a row with more cells
    than columns, and text that is not UTF-8 or cut off.
    """
    csv.field_size_limit(LONGEST_CELL)
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield from _rows(path, file, required)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason}); save it as 'CSV UTF-8'") from error
    except (csv.Error, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path}: broken table ({error}); look for a quote that is not closed, or copy it anew"
        ) from error


def has_columns(path: Path, required: Sequence[str]) -> bool:
    """Tell whether the line of columns of a table, whatever its encoding, has these; False where it cannot be unpacked."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            _, line = _first_line(file)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False
    found = (name.strip(' \t\r\n"').lower() for separator in SEPARATORS for name in line.split(separator))
    return set(required) <= set(found)


def _rows(path: Path, file: TextIO, required: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    above, first = _first_line(file)
    columns, separator = _header(path, first, required)
    reader = csv.reader(file, delimiter=separator, strict=True)  # strict: an open quote must not swallow later rows
    short = []
    for cells in reader:
        line = reader.line_num + above + 1
        if any(cell.strip() for cell in cells[len(columns) :]):
            raise ValueError(
                f"{path}, line {line}: {len(cells)} cells under {len(columns)} columns; "
                f"put quotes around a text that contains {separator!r}"
            )
        if any(cell.strip() for cell in cells):
            short += [line] if len(cells) < len(columns) else []
            yield line, dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=False))
    if short:
        warnings.warn(
            f"{path}: rows with fewer cells than columns: {len(short)}, the first in line {short[0]}; what is missing "
            "counts as not stated",
            stacklevel=2,
        )


def _first_line(file: TextIO) -> tuple[int, str]:
    """Return the line with the columns and how many stand above it: blank ones, and 'sep=;' as spreadsheets write it."""
    above, line = 0, file.readline()
    while line and (not line.strip(' \t\r\n,;"') or re.fullmatch(r'"?sep=.?"?\s*', line, re.IGNORECASE)):
        above, line = above + 1, file.readline()
    return above, line


def _header(path: Path, line: str, required: Sequence[str]) -> tuple[list[str], str]:
    """Return the columns and the separator with which all required ones are among them."""
    for separator in SEPARATORS:
        columns = [name.strip().lower() for name in next(csv.reader([line], delimiter=separator), [])]
        if set(required) <= set(columns):
            doubled = sorted({name for name in columns if name and columns.count(name) > 1})
            if doubled:
                raise ValueError(f"{path}: column '{doubled[0]}' stands there more than once; rename all but one")
            return columns, separator
    found = [name.strip().lower() for name in line.split(",")]
    lacking = ", ".join(f"'{name}'" for name in required if name not in found)
    raise ValueError(
        f"{path}: no column {lacking}; got {line.strip()[:200] or 'an empty file'}, see docs/data-formats.md"
    )
