"""Films as an earlier ingest read them: what is kept of films that cannot be read today."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from posixpath import splitext

from db.ingest_rows import CheckedFilm, CheckedMask, study_key
from db.records import SourceFilm

STORED = (
    "patient_sex", "patient_age_years", "study_date", "offset_days", "modality", "view_position", "patient_position",
    "body_part_examined", "photometric_interpretation", "note", "license",
)  # fmt: skip
# of the patient or the visit, not of the film
OF_PERSON = ("patient_sex", "patient_age_years", "study_date", "offset_days")


def has_films(connection: sqlite3.Connection, name: str) -> bool:
    """Tell whether a source of this name has films in the database."""
    statement = "SELECT 1 FROM image JOIN source USING (source_id) WHERE source.name = ? LIMIT 1"
    return connection.execute(statement, (name,)).fetchone() is not None


def as_stored(connection: sqlite3.Connection, name: str, film: SourceFilm) -> CheckedFilm | None:
    """Return a film with the facts of its row and the pixels and masks that were read before; None where it never was.

    Of the masks that the row lists, those that were taken before are kept. Facts that the row does not state are those of
    before, which a header may have stated; those of a person only where the row names the same person still.
    """
    image = connection.execute(
        "SELECT image.*, study.*, patient.patient_sex FROM image JOIN source USING (source_id) JOIN study USING (study_id) "
        "JOIN patient ON patient.patient_id = study.stated_patient_id "
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
    lent = {row[0] for row in connection.execute("SELECT fact FROM lent_fact WHERE image_id = ?", (image["image_id"],))}
    return CheckedFilm(
        film=replace(_with_facts(film, name, image, lent), masks=()),
        rows=image["rows"],
        columns=image["columns"],
        bits_stored=image["bits_stored"],
        content_sha256=image["content_sha256"],
        masks=tuple(masks),
    )


def _with_facts(film: SourceFilm, name: str, image: sqlite3.Row, lent: Collection[str]) -> SourceFilm:
    """Return a film with what its row leaves open as it was stored. lent: facts that other rows of the same bytes stated."""
    if film.study_id is None and film.patient_id == splitext(film.file)[0]:  # called so for want of an id
        patient = image["stated_patient_id"].removeprefix(f"{name}:")
        visit = image["study_id"].removeprefix(study_key(name, patient, ""))
        film = replace(film, patient_id=patient, study_id=None if visit == film.file else visit)
    of_another = OF_PERSON if image["stated_patient_id"] != f"{name}:{film.patient_id}" else ()
    facts = {fact: image[fact] for fact in STORED if fact not in lent and fact not in of_another}
    if image["row_spacing_mm"] is not None and "row_spacing_mm" not in lent:
        facts["pixel_spacing_mm"] = (image["row_spacing_mm"], image["column_spacing_mm"])
        facts["pixel_spacing_origin"] = image["spacing_origin"]
    return replace(film, **{fact: value for fact, value in facts.items() if getattr(film, fact) is None})


def films_gone(connection: sqlite3.Connection, name: str, checked: Sequence[CheckedFilm]) -> list[sqlite3.Row]:
    """Return the stored films of a source, file and scored (1 or 0), of which neither file nor bytes are among those checked."""
    here = json.dumps([*(film.content_sha256 for film in checked), *(film.film.file for film in checked)])
    return connection.execute(
        "SELECT image.file, EXISTS (SELECT 1 FROM score WHERE score.image_id = image.image_id) AS scored "
        "FROM image JOIN source USING (source_id) WHERE source.name = ?1 "
        "AND content_sha256 NOT IN (SELECT value FROM json_each(?2)) AND file NOT IN (SELECT value FROM json_each(?2)) "
        "ORDER BY file",
        (name, here),
    ).fetchall()


def check_same_source(connection: sqlite3.Connection, name: str, root: Path, gone: Sequence[sqlite3.Row]) -> None:
    """Refuse another folder of a source's name where none of the source's films is in it: it is another source.

    gone: of `films_gone`.
    """
    row = connection.execute(
        "SELECT root, count(image_id) AS films FROM source LEFT JOIN image USING (source_id) WHERE name = ?", (name,)
    ).fetchone()
    if row["root"] not in (None, str(root)) and 0 < row["films"] == len(gone):
        raise ValueError(
            f"{root}: the database has a source {name} already, read from {row['root']}, and none of its {row['films']} films is "
            "here; they and their scores would go; give this one a --name of its own"
        )


def check_not_moved(connection: sqlite3.Connection, name: str, root: Path, checked: Sequence[CheckedFilm]) -> list[str]:
    """Refuse a new name for a folder most of whose films are those of a source whose folder has gone: it has moved.

    Fewer such films are told in the notes that are returned: they are stored as listed again, and the files that they repeat
    cannot be read.
    """
    if not checked or connection.execute("SELECT 1 FROM source WHERE name = ?", (name,)).fetchone():
        return []
    contents = json.dumps([film.content_sha256 for film in checked])
    notes = []
    for row in connection.execute(
        "SELECT name, root, count(DISTINCT content_sha256) AS films FROM source JOIN image USING (source_id) "
        "WHERE duplicate_of IS NULL AND content_sha256 IN (SELECT value FROM json_each(?)) GROUP BY source_id",
        (contents,),
    ):
        if Path(row["root"]).is_dir():
            continue
        told = (
            f"{row['films']} of its {len(checked)} films are those of the source {row['name']}, whose folder {row['root']} has "
            "gone; "
        )
        if 2 * row["films"] > len(checked):
            raise ValueError(
                f"{root}: {told}if it was moved or renamed, read it as what it is: --name {row['name']}; else bring it back"
            )
        notes.append(f"{told}they cannot be used until it is back")
    return notes
