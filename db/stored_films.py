"""Films as an earlier ingest read them: what is kept of films that cannot be read today."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from db.ingest_rows import CheckedFilm, CheckedMask
from db.records import SourceFilm


def has_films(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether a source of this name has films in the database."""
    statement = "SELECT 1 FROM image JOIN source USING (source_id) WHERE source.name = ? LIMIT 1"
    return connection.execute(statement, (name,)).fetchone() is not None


def as_stored(connection: sqlite3.Connection, name: str, film: SourceFilm) -> CheckedFilm | None:
    """Return a film with the facts of its row and the pixels and masks that were read before; None where it never was.

    Of the masks that the row lists, those that were taken before are kept.
    """
    image = connection.execute(
        "SELECT image.rows, image.columns, bits_stored, content_sha256 FROM image JOIN source USING (source_id) "
        "WHERE source.name = ? AND image.file = ? ORDER BY duplicate_of IS NOT NULL, image_id",
        (name, film.file),
    ).fetchone()
    if image is None:
        return None
    side = {"right_lung": "lung", "left_lung": "lung"} if film.sides_by_place else {}  # ingest may have exchanged them
    stored = {
        (
            side.get(row["structure"], row["structure"]),
            row["convention"],
            row["provenance"],
            row["file"],
            row["rle"],
        ): row
        for row in connection.execute(
            "SELECT mask.* FROM mask JOIN image USING (image_id) JOIN source USING (source_id) "
            "WHERE source.name = ? AND image.file = ? AND mask.listed_by IS NULL",
            (name, film.file),
        )
    }
    masks = []
    for mask in film.masks:
        structure = side.get(mask.structure, mask.structure)
        row = stored.get((structure, mask.convention, mask.provenance, mask.file, mask.rle))
        if row is not None:
            mask = replace(mask, structure=row["structure"])
            masks.append(CheckedMask(mask=mask, values_seen=row["values_seen"], area_share=row["area_share"]))
    return CheckedFilm(
        film=replace(film, masks=()),
        rows=image["rows"],
        columns=image["columns"],
        bits_stored=image["bits_stored"],
        content_sha256=image["content_sha256"],
        masks=tuple(masks),
    )


def check_not_moved(connection: sqlite3.Connection, name: str, root: Path, checked: Sequence[CheckedFilm]) -> None:
    """Refuse a new name for exactly the films of a source whose folder has gone: they would be there twice."""
    if not checked or connection.execute("SELECT 1 FROM source WHERE name = ?", (name,)).fetchone():
        return
    contents = json.dumps([film.content_sha256 for film in checked])
    for row in connection.execute(
        "SELECT name, root FROM source JOIN image USING (source_id) GROUP BY source_id "
        "HAVING min(content_sha256 IN (SELECT value FROM json_each(?1))) "
        "AND count(DISTINCT content_sha256) = (SELECT count(DISTINCT value) FROM json_each(?1))",
        (contents,),
    ):
        if not Path(row["root"]).is_dir():
            raise ValueError(
                f"{root}: all films are those of the source {row['name']}, whose folder {row['root']} has gone; if it was moved "
                f"or renamed, read it as what it is: --name {row['name']}"
            )
