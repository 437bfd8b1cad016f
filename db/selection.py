"""From a query to the films it chose: SQL picks (image_id, mask_id) pairs, this file turns them into ImageRecords."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from db.records import ImageRecord, MaskRecord

QUERIES = Path(__file__).parent / "queries"
NEEDED_COLUMNS = ("image_id", "mask_id")
TRUST = ("manual", "landmark", "phantom", "model")
"""Where a film has a structure drawn twice, the mask of the first of these provenances is the one used."""
MOST_ROWS = 5_000_000  # a query may return; more is a join that was not meant, and would fill the memory
_CHUNK = 500  # ids in one IN (...) list, below SQLite's limit of variables

_IMAGE_SQL = """
SELECT image.*, source.name AS source, source.root AS root, study.patient_id AS patient_id, split.split AS split
FROM image
JOIN source USING (source_id)
JOIN study USING (study_id)
LEFT JOIN split ON split.patient_id = study.patient_id AND split.split_set = ?
WHERE image_id IN ({marks})
"""
_MASK_SQL = """
SELECT mask.*, source.root AS root
FROM mask JOIN image USING (image_id) JOIN source USING (source_id)
WHERE mask_id IN ({marks})
"""


def query_text(path_or_name: str | Path) -> str:
    """Return the SQL of a file, or of a named query of `db/queries` (name without the ending)."""
    named = QUERIES / f"{path_or_name}.sql"
    path = named if named.is_file() else Path(path_or_name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in QUERIES.glob("*.sql")))
        raise FileNotFoundError(f"query {path_or_name}: no such file and no named query; named queries are: {known}")
    return path.read_text(encoding="utf-8")


def select_images(
    connection: sqlite3.Connection, sql: str, parameters: dict[str, str], split_set: str | None = None
) -> list[ImageRecord]:
    """Run a selection and return its films, in the query's order, each with the masks the query chose.

    sql: one SELECT with the columns image_id and mask_id (mask_id NULL: the film without a mask). parameters: values of
    the named parameters the query may use. split_set: whose split to attach; None leaves `split` None.
    Raises ValueError when the query lacks a column, writes, fails, or selects masks of several conventions.
    """
    pairs = _run_selection(connection, sql, parameters)
    image_ids = list(dict.fromkeys(pair[0] for pair in pairs))
    masks = _masks_by_image(connection, pairs)
    rows = _rows_by_id(connection, _IMAGE_SQL, image_ids, "image_id", (split_set,))
    missing = [image_id for image_id in image_ids if image_id not in rows]
    if missing:
        raise ValueError(
            f"the query returned image_id {missing[0]!r}, which is not in the image table; select image.image_id"
        )
    return [_image_record(rows[image_id], masks.get(image_id, ())) for image_id in image_ids]


def run_query(
    connection: sqlite3.Connection, sql: str, parameters: dict[str, object], needed_columns: Sequence[str] = ()
) -> list[sqlite3.Row]:
    """Run one SELECT and return its rows.

    SQLite is told to refuse everything but reading while the statement is compiled, so a user's own query can change
    nothing. Raises ValueError with SQLite's words, or naming the needed columns that the query does not return.
    """
    connection.set_authorizer(_allow_reading_only)
    try:
        cursor = connection.execute(sql, parameters)
        columns = [column[0] for column in cursor.description or ()]
        lacking = [name for name in needed_columns if name not in columns]
        if lacking:
            got = ", ".join(columns) or "no columns"
            raise ValueError(f"the query returns {got}; it also needs {', '.join(lacking)} (see db/queries)")
        rows = cursor.fetchmany(MOST_ROWS + 1)
        if len(rows) > MOST_ROWS:
            raise ValueError(f"the query returns more than {MOST_ROWS:,} rows; add conditions, or LIMIT")
        return rows
    except (sqlite3.Error, sqlite3.Warning) as error:
        hint = "; a query must be one SELECT and may only read" if "not authorized" in str(error) else ""
        raise ValueError(f"the query failed: {error}{hint}") from error
    finally:
        connection.set_authorizer(None)


def _allow_reading_only(action: int, *_names: str | None) -> int:
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY


def _run_selection(
    connection: sqlite3.Connection, sql: str, parameters: dict[str, str]
) -> list[tuple[int, int | None]]:
    rows = run_query(connection, sql, parameters, NEEDED_COLUMNS)
    return [(row["image_id"], row["mask_id"]) for row in rows]


def _masks_by_image(
    connection: sqlite3.Connection, pairs: Sequence[tuple[int, int | None]]
) -> dict[int, tuple[MaskRecord, ...]]:
    mask_ids = [mask_id for _, mask_id in pairs if mask_id is not None]
    rows = _rows_by_id(connection, _MASK_SQL, mask_ids, "mask_id")
    conventions = sorted({row["convention"] for row in rows.values()})
    if len(conventions) > 1:
        raise ValueError(
            f"the query selects masks of {len(conventions)} conventions ({', '.join(conventions)}), which must not be mixed; "
            "add a condition on mask.convention"
        )
    chosen: dict[int, dict[str, MaskRecord]] = {}
    for row in sorted(rows.values(), key=lambda row: TRUST.index(row["provenance"])):
        chosen.setdefault(row["image_id"], {}).setdefault(row["structure"], _mask_record(row))
    return {image_id: tuple(by_structure.values()) for image_id, by_structure in chosen.items()}


def _rows_by_id(
    connection: sqlite3.Connection, sql: str, ids: Sequence[int], key: str, leading: tuple = ()
) -> dict[int, sqlite3.Row]:
    found: dict[int, sqlite3.Row] = {}
    for chunk in _chunks(ids):
        statement = sql.format(marks=", ".join("?" * len(chunk)))
        found.update({row[key]: row for row in connection.execute(statement, (*leading, *chunk))})
    return found


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]


def _image_record(row: sqlite3.Row, masks: tuple[MaskRecord, ...]) -> ImageRecord:
    spacing = None if row["row_spacing_mm"] is None else (row["row_spacing_mm"], row["column_spacing_mm"])
    return ImageRecord(
        image_id=row["image_id"],
        source=row["source"],
        file=row["file"],
        path=_inside(row),
        patient_id=row["patient_id"],
        study_id=row["study_id"],
        split=row["split"],
        height=row["rows"],
        width=row["columns"],
        photometric_interpretation=row["photometric_interpretation"],
        spacing_mm=spacing,
        content_sha256=row["content_sha256"],
        masks=masks,
    )


def _mask_record(row: sqlite3.Row) -> MaskRecord:
    return MaskRecord(
        mask_id=row["mask_id"],
        structure=row["structure"],
        convention=row["convention"],
        provenance=row["provenance"],
        path=None if row["file"] is None else _inside(row),
        rle=row["rle"],
        lung_value=row["lung_value"],
        scaled=bool(row["scaled"]),
    )


def _inside(row: sqlite3.Row) -> Path:
    """The path of a row's file, which must lie below its source's folder: a database may come from elsewhere."""
    root = Path(row["root"])
    path = root / row["file"]
    if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root)):
        raise ValueError(f"{row['file']}: the path leads outside the source's folder {root}; ingest the source again")
    return path
