"""From a query to the films it chose: SQL picks (image_id, mask_id) pairs, this file turns them into ImageRecords."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from db.records import PROVENANCES, ImageRecord, MaskRecord
from db.waiting_connection import in_words

QUERIES = Path(__file__).parent / "queries"
NEEDED_COLUMNS = ("image_id", "mask_id")
MOST_ROWS = 5_000_000  # in one list; more is an unintended join, and would fill the memory
_CHUNK = 500  # films read at a time, and ids in one IN (...) list, below SQLite's limit of variables

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
FROM mask JOIN image ON image.image_id = coalesce(mask.listed_by, mask.image_id) JOIN source USING (source_id)
WHERE mask_id IN ({marks})
"""
_IMAGE_KEY_SQL = "SELECT image_id, duplicate_of FROM image WHERE image_id IN ({marks})"
_MASK_KEY_SQL = "SELECT mask_id, image_id, convention FROM mask WHERE mask_id IN ({marks})"


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
    """Run a selection and return its films as a list, for callers that need all of them at once. See `Selection`.

    Raises ValueError also when there are more films than memory should hold.
    """
    films = Selection(connection, sql, parameters, split_set)
    if len(films) > MOST_ROWS:
        raise ValueError(
            f"the query selects {len(films):,} films, more than the {MOST_ROWS:,} that are held at once; "
            "add conditions, or LIMIT"
        )
    return list(films)


class Selection:
    """The films of one query, in its order, each with the masks the query chose: counted at once, read when iterated over.

    sql: one SELECT with the columns image_id and mask_id (mask_id NULL: the film without a mask); a film's rows need not be
    adjacent. parameters: values of the named parameters the query may use. split_set: whose split to attach; None leaves
    `split` None. The chosen ids are in a temporary file of SQLite's own, so any number of films can be iterated over, any
    number of times, in the memory of one chunk.
    Raises ValueError when the query lacks a column, writes, fails, returns an id that is no film or no mask of its film, a film
    that is listed again, or masks of several conventions; during iteration only when the database has been changed since.
    """

    def __init__(
        self, connection: sqlite3.Connection, sql: str, parameters: dict[str, str], split_set: str | None = None
    ):
        self._connection, self._split_set = connection, split_set
        self._chosen = _note_pairs(connection, sql, parameters)
        self._refuse_what_is_not_there()

    def __len__(self) -> int:
        return self._chosen.execute("SELECT count(*) FROM film").fetchone()[0]

    def __iter__(self) -> Iterator[ImageRecord]:
        for films in self._chunks():
            images, masks = _look_up(self._connection, films, _IMAGE_SQL, _MASK_SQL, (self._split_set,))
            for image_id, mask_ids in films.items():
                yield _image_record(images[image_id], _trusted_masks([masks[mask_id] for mask_id in mask_ids]))

    def _chunks(self) -> Iterator[dict[int, list[int]]]:
        """Yield image_id to mask_ids of some films at a time."""
        cursor = self._chosen.execute("SELECT image_id, mask_ids FROM film ORDER BY rowid")
        while rows := cursor.fetchmany(_CHUNK):
            yield {image_id: sorted(set(json.loads(mask_ids))) for image_id, mask_ids in rows}

    def _refuse_what_is_not_there(self) -> None:
        """Check all ids now, so that nobody iterates for hours before the last one proves wrong."""
        conventions, listed_again = set(), 0
        for films in self._chunks():
            images, masks = _look_up(self._connection, films, _IMAGE_KEY_SQL, _MASK_KEY_SQL)
            conventions.update(row["convention"] for row in masks.values())
            listed_again += sum(row["duplicate_of"] is not None for row in images.values())
        if listed_again:
            raise ValueError(
                f"the query selects films that are listed again ({listed_again}); the film that each repeats holds what it says: "
                "add the condition image.duplicate_of IS NULL"
            )
        if len(conventions) > 1:
            raise ValueError(
                f"the query selects masks of {len(conventions)} conventions ({', '.join(sorted(conventions))}), which must "
                "not be mixed; add a condition on mask.convention"
            )


def run_query(connection: sqlite3.Connection, sql: str, parameters: dict[str, object]) -> list[sqlite3.Row]:
    """Run one SELECT and return its rows.

    SQLite is told to refuse everything but reading while the statement is compiled, so a user's own query can change
    nothing. Raises ValueError with SQLite's message.
    """
    return list(_read_rows(connection, sql, parameters, (), MOST_ROWS))


def _read_rows(
    connection: sqlite3.Connection, sql: str, parameters: dict[str, object], needed_columns: Sequence[str], most: int
) -> Iterator[sqlite3.Row]:
    """Yield the rows of one SELECT.

    ValueError with SQLite's message, for missing needed columns (by name), and instead of row number `most` + 1.
    """
    try:
        cursor = _execute_reading_only(connection, sql, parameters)
        columns = [column[0] for column in cursor.description or ()]
        lacking = [name for name in needed_columns if name not in columns]
        if lacking:
            got = ", ".join(columns) or "no columns"
            raise ValueError(f"the query returns {got}; it also needs {', '.join(lacking)} (see db/queries)")
        yield from islice(cursor, most)
        if cursor.fetchone() is not None:
            raise ValueError(f"the query returns more than {most:,} rows; add conditions, or LIMIT")
    except (sqlite3.Error, sqlite3.Warning) as error:
        hint = "; a query must be one SELECT and may only read" if "not authorized" in str(error) else ""
        raise ValueError(f"the query failed: {in_words(error, connection)}{hint}") from error


def _execute_reading_only(connection: sqlite3.Connection, sql: str, parameters: dict[str, object]) -> sqlite3.Cursor:
    connection.set_authorizer(_allow_reading_only)
    try:
        return connection.execute(sql, parameters)
    finally:
        connection.set_authorizer(None)


def _allow_reading_only(action: int, *_names: str | None) -> int:
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading else sqlite3.SQLITE_DENY


def _note_pairs(connection: sqlite3.Connection, sql: str, parameters: dict[str, str]) -> sqlite3.Connection:
    """Return a temporary database whose table `film` has each of the query's films once, in its order, with its mask_ids."""
    films_and_masks = "SELECT (SELECT count(*) FROM image) + (SELECT count(*) FROM mask)"
    most = max(MOST_ROWS, connection.execute(films_and_masks).fetchone()[0])  # more is an unintended join
    rows = _read_rows(connection, sql, parameters, NEEDED_COLUMNS, most)
    chosen = sqlite3.connect("", isolation_level=None)
    chosen.execute("CREATE TABLE pair (image_id INTEGER NOT NULL, mask_id INTEGER) STRICT")
    chosen.execute("BEGIN")
    try:
        chosen.executemany("INSERT INTO pair VALUES (?, ?)", ((row["image_id"], row["mask_id"]) for row in rows))
    except sqlite3.IntegrityError as error:
        raise ValueError(f"the query returns what is no number of a film or mask: {error}") from error
    chosen.execute(
        "CREATE TABLE film AS SELECT image_id, json_group_array(mask_id) FILTER (WHERE mask_id IS NOT NULL) AS mask_ids "
        "FROM pair GROUP BY image_id ORDER BY min(pair.rowid)"
    )
    chosen.execute("DROP TABLE pair")
    chosen.execute("COMMIT")
    return chosen


def _look_up(
    connection: sqlite3.Connection,
    films: Mapping[int, Sequence[int]],
    image_sql: str,
    mask_sql: str,
    leading: tuple = (),
) -> tuple[dict[int, sqlite3.Row], dict[int, sqlite3.Row]]:
    """Return the rows of the films by image_id and of their masks by mask_id; ValueError where one is not there."""
    images = _rows_by_id(connection, image_sql, list(films), "image_id", leading)
    masks = _rows_by_id(connection, mask_sql, [number for numbers in films.values() for number in numbers], "mask_id")
    for image_id, mask_ids in films.items():
        if image_id not in images:
            raise ValueError(
                f"the query returned image_id {image_id!r}, which is not in the image table; select image.image_id"
            )
        for mask_id in mask_ids:
            if mask_id not in masks or masks[mask_id]["image_id"] != image_id:
                raise ValueError(
                    f"the query returned mask_id {mask_id} with image_id {image_id}, but that film has no such mask; "
                    "JOIN mask USING (image_id)"
                )
    return images, masks


def _trusted_masks(rows: Sequence[sqlite3.Row]) -> tuple[MaskRecord, ...]:
    """Return one mask for each structure of a film: that of the most trusted provenance."""
    chosen: dict[str, MaskRecord] = {}
    for row in sorted(rows, key=lambda row: PROVENANCES.index(row["provenance"])):
        chosen.setdefault(row["structure"], _mask_record(row))
    return tuple(chosen.values())


def _rows_by_id(
    connection: sqlite3.Connection, sql: str, ids: Sequence[int], key: str, leading: tuple = ()
) -> dict[int, sqlite3.Row]:
    found: dict[int, sqlite3.Row] = {}
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        statement = sql.format(marks=", ".join("?" * len(chunk)))
        found.update({row[key]: row for row in connection.execute(statement, (*leading, *chunk))})
    return found


def _image_record(row: sqlite3.Row, masks: tuple[MaskRecord, ...]) -> ImageRecord:
    spacing = None if row["row_spacing_mm"] is None else (row["row_spacing_mm"], row["column_spacing_mm"])
    return ImageRecord(
        image_id=row["image_id"],
        source=row["source"],
        file=row["file"],
        path=_inside(row),
        patient_id=row["patient_id"],
        split=row["split"],
        height=row["rows"],
        width=row["columns"],
        photometric_interpretation=row["photometric_interpretation"],
        spacing_mm=spacing,
        content_sha256=row["content_sha256"],
        masks=masks,
        note=row["note"],
    )


def _mask_record(row: sqlite3.Row) -> MaskRecord:
    return MaskRecord(
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
