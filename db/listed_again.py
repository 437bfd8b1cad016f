"""Films listed again: where a film's own row states nothing, it is lent what other rows of the same bytes state."""

import sqlite3

FACTS = (
    ("modality",),
    ("view_position",),
    ("patient_position",),
    ("body_part_examined",),
    ("photometric_interpretation",),
    ("row_spacing_mm", "column_spacing_mm", "spacing_origin"),
)
"""Columns of `image` that are lent, grouped by fact."""

_COPIES = (
    "FROM image AS copy JOIN source USING (source_id) JOIN {table} USING (image_id) WHERE copy.duplicate_of IS NOT NULL"
)
_ORDER = "ORDER BY source.name, copy.file, copy.image_id"
_MASK = "structure, convention, provenance, file, rle, lung_value, scaled, values_seen, area_share"
_LEND_DETAILS = (
    f"INSERT INTO mask (image_id, {_MASK}, listed_by) SELECT copy.duplicate_of, "
    f"{_MASK.replace('file', 'mask.file')}, copy.image_id {_COPIES.format(table='mask')} {_ORDER}, mask.mask_id "
    "ON CONFLICT (image_id, structure, convention, provenance) DO NOTHING",
    "INSERT INTO finding (image_id, finding, listed_by) SELECT copy.duplicate_of, finding, copy.image_id "
    f"{_COPIES.format(table='finding')} AND NOT EXISTS (SELECT 1 FROM finding AS own WHERE own.image_id = copy.duplicate_of) "
    f"{_ORDER} ON CONFLICT (image_id, finding) DO NOTHING",
    "INSERT INTO measurement (image_id, name, value, unit, listed_by) SELECT copy.duplicate_of, measurement.name, value, unit, "
    f"copy.image_id {_COPIES.format(table='measurement')} AND run_id IS NULL {_ORDER} "
    "ON CONFLICT (image_id, name, coalesce(run_id, 0)) DO NOTHING",
)


def take_back(connection: sqlite3.Connection) -> None:
    """Reduce every film to what its own row says, before rows are rewritten. Call in a transaction, with `lend` at its end."""
    for table in ("mask", "finding", "measurement"):
        connection.execute(f"DELETE FROM {table} WHERE listed_by IS NOT NULL")
    for columns in FACTS:
        nothing = ", ".join(f"{column} = NULL" for column in columns)
        connection.execute(
            f"UPDATE image SET {nothing} WHERE image_id IN (SELECT image_id FROM lent_fact WHERE fact = ?)", columns[:1]
        )
    connection.execute("DELETE FROM lent_fact")


def lend(connection: sqlite3.Connection) -> None:
    """Lend every film what its own row lacks and rows of the same bytes state.

    Lent are a mask where the film has none of that structure, convention and provenance, findings where it has none at all, and
    a fact where all rows that state it agree. Of several masks it is the first by source and file name, not the first ingested.
    """
    for columns in FACTS:
        _lend_fact(connection, columns)
    for statement in _LEND_DETAILS:
        connection.execute(statement)


def _lend_fact(connection: sqlite3.Connection, columns: tuple[str, ...]) -> None:
    fact, names = columns[0], ", ".join(columns)
    values = ", ".join(f"min(copy.{column})" for column in columns)
    agree = " AND ".join(f"min(copy.{column}) = max(copy.{column})" for column in columns if column != "spacing_origin")
    connection.execute(
        f"INSERT INTO lent_fact SELECT copy.duplicate_of, ? FROM image AS copy JOIN image AS film "
        f"ON film.image_id = copy.duplicate_of WHERE film.{fact} IS NULL AND copy.{fact} IS NOT NULL "
        f"GROUP BY copy.duplicate_of HAVING {agree}",
        (fact,),
    )
    connection.execute(
        f"UPDATE image SET ({names}) = (SELECT {values} FROM image AS copy WHERE copy.duplicate_of = image.image_id "
        f"AND copy.{fact} IS NOT NULL) WHERE image_id IN (SELECT image_id FROM lent_fact WHERE fact = ?)",
        (fact,),
    )


def masks_not_used(connection: sqlite3.Connection, name: str) -> tuple[int, str | None]:
    """Return how many masks of a source's films listed again are not used, and the first file with such a mask."""
    rows = connection.execute(
        "SELECT count(*), min(copy.file) FROM mask JOIN image AS copy USING (image_id) JOIN source USING (source_id) "
        "WHERE source.name = ? AND copy.duplicate_of IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM mask AS used JOIN image AS lister ON lister.image_id = coalesce(used.listed_by, used.image_id) "
        "WHERE used.image_id = copy.duplicate_of AND used.structure = mask.structure AND used.convention = mask.convention "
        "AND used.provenance = mask.provenance AND lister.source_id = copy.source_id "
        "AND used.file IS mask.file AND used.rle IS mask.rle)",
        (name,),
    )
    return tuple(rows.fetchone())


def free_copies(connection: sqlite3.Connection, source_id: int, gone: set[int]) -> None:
    """Let the copies of films that are gone or have changed stand for themselves: other sources still list them."""
    copies = connection.execute(
        "SELECT copy.image_id, copy.content_sha256, original.image_id AS original_id, "
        "original.content_sha256 <> copy.content_sha256 AS changed "
        "FROM image AS copy JOIN image AS original ON copy.duplicate_of = original.image_id "
        "WHERE original.source_id = ? ORDER BY copy.image_id",
        (source_id,),
    ).fetchall()
    for copy in copies:
        if copy["changed"] or copy["original_id"] in gone:
            same = connection.execute(
                "SELECT image_id FROM image WHERE content_sha256 = ? AND duplicate_of IS NULL ORDER BY image_id",
                (copy["content_sha256"],),
            )
            first = next((row["image_id"] for row in same if row["image_id"] not in gone), None)
            connection.execute("UPDATE image SET duplicate_of = ? WHERE image_id = ?", (first, copy["image_id"]))
