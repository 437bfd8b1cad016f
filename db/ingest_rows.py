"""Writing what a reader found: one source with its patients, studies, images, masks and refusals, in one transaction."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.listed_again import free_copies, lend, take_back
from db.patients import hand_on_splits, note_splits, settle_persons, write_links
from db.records import SourceFilm, SourceMask
from db.runs import utc_now
from db.transactions import transaction


@dataclass(frozen=True, kw_only=True)
class CheckedMask:
    """A mask that ingest has opened: its row, the grey values seen and the share of the film inside.

    middle_column: mean column of the pixels inside, None where there are none. in_one: a mask of both lungs that is not two
    pieces side by side. darker_by: of a lung, how much darker it is than the rest of its bounding box, in grey levels of [0, 1].
    """

    mask: SourceMask
    values_seen: str | None
    area_share: float
    middle_column: float | None = None
    in_one: bool = False
    darker_by: float | None = None


@dataclass(frozen=True, kw_only=True)
class CheckedFilm:
    """A film that ingest has opened: the source's row and what the file itself says."""

    film: SourceFilm
    rows: int
    columns: int
    bits_stored: int
    content_sha256: str
    masks: tuple[CheckedMask, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A row that was not taken, or one of its masks (what='mask'); reason is short and countable, detail is one line."""

    file: str
    what: str
    reason: str
    detail: str


def write_source(
    connection: sqlite3.Connection,
    name: str,
    root: str,
    reader: str,
    films: Sequence[CheckedFilm],
    refusals: Iterable[Refusal] = (),
    rows_read: int = 0,
) -> None:
    """Write a source in one transaction, so that the database afterwards says of it exactly what is given.

    When a source is read again, a film keeps its image_id and, as long as its bytes are the same, its scores; films that are
    gone are removed. The same bytes listed again, under whatever file, source or patient, become a `duplicate_of` row,
    and the patients are merged. Of rows with the same bytes the one that stood for them before stays the film, else the first
    becomes it. A film whose patient has another id now takes the splits along. The film is lent what such a row states and its
    own row does not, as long as that row is listed.
    """
    with transaction(connection):
        take_back(connection)
        source_id = _write_source_row(connection, name, root, reader, rows_read)
        note_splits(connection, source_id)
        _forget_facts(connection, source_id)
        connection.execute("DELETE FROM image WHERE source_id = ? AND duplicate_of IS NOT NULL", (source_id,))
        connection.execute("DELETE FROM refusal WHERE source_id = ?", (source_id,))
        rows = connection.execute("SELECT file, image_id, content_sha256 FROM image WHERE source_id = ?", (source_id,))
        known = _follow_moved(films, {row["file"]: row for row in rows})
        standing = _unchanged(films, known)
        written: set[int] = set()
        links: list[tuple[str, str]] = []
        for checked in films:
            _write_patient_and_study(connection, name, source_id, checked.film)
            links += [
                (f"{name}:{checked.film.patient_id}", f"{name}:{other}") for other in checked.film.same_patient_as
            ]
            own = known.get(checked.film.file)
            stood = standing.get(checked.content_sha256)
            if stood is None:
                original = _same_content(connection, checked, source_id, written)
            else:
                original = None if own is not None and own["image_id"] == stood and stood not in written else stood
            image_id = own["image_id"] if own is not None and original is None else None
            if image_id is not None and own["content_sha256"] != checked.content_sha256:
                _forget_results(connection, image_id)
            written.add(_write_image(connection, name, source_id, checked, original, image_id))
        write_links(connection, source_id, links)
        gone = {row["image_id"] for row in known.values()} - written
        free_copies(connection, source_id, gone)
        connection.executemany("DELETE FROM image WHERE image_id = ?", [(image_id,) for image_id in gone])
        _write_refusals(connection, source_id, refusals)
        connection.execute("DELETE FROM study WHERE study_id NOT IN (SELECT study_id FROM image)")
        settle_persons(connection)
        hand_on_splits(connection)
        lend(connection)


def _write_source_row(connection: sqlite3.Connection, name: str, root: str, reader: str, rows_read: int) -> int:
    connection.execute(
        "INSERT INTO source (name, root, reader, rows_read, ingested_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET root = excluded.root, reader = excluded.reader, "
        "rows_read = excluded.rows_read, ingested_at = excluded.ingested_at",
        (name, root, reader, rows_read, utc_now()),
    )
    return connection.execute("SELECT source_id FROM source WHERE name = ?", (name,)).fetchone()[0]


def _forget_facts(connection: sqlite3.Connection, source_id: int) -> None:
    """Forget what the source said of patients and studies before; it may no longer say so."""
    connection.execute("UPDATE patient SET patient_sex = NULL WHERE source_id = ?", (source_id,))
    connection.execute(
        "UPDATE study SET patient_age_years = NULL, study_date = NULL, offset_days = NULL "
        "WHERE study_id IN (SELECT study_id FROM image WHERE source_id = ?)",
        (source_id,),
    )


def _forget_results(connection: sqlite3.Connection, image_id: int) -> None:
    """Forget what runs found on a film whose bytes have changed under the same name."""
    connection.execute("DELETE FROM score WHERE image_id = ?", (image_id,))
    connection.execute("DELETE FROM predicted_quality WHERE image_id = ?", (image_id,))
    connection.execute("DELETE FROM measurement WHERE image_id = ? AND run_id IS NOT NULL", (image_id,))
    connection.execute("UPDATE prediction SET image_id = NULL WHERE image_id = ?", (image_id,))


def study_key(name: str, patient: str, visit: str) -> str:
    """Return the id of a study: the patient is part of it because a source's study ids may restart per patient.

    Colons in the patient's id are escaped: patient 7 with study 8:9 is not patient 7:8 with study 9.
    """
    patient = patient.replace("\\", r"\\").replace(":", r"\:")  # most ids have neither, and keep their keys
    return f"{name}:{patient}:{visit}"


def _write_patient_and_study(connection: sqlite3.Connection, name: str, source_id: int, film: SourceFilm) -> None:
    patient_id = f"{name}:{film.patient_id}"
    connection.execute(
        "INSERT INTO patient (patient_id, source_id, patient_sex) VALUES (?, ?, ?) ON CONFLICT (patient_id) DO UPDATE "
        "SET patient_sex = coalesce(excluded.patient_sex, patient_sex)",
        (patient_id, source_id, film.patient_sex),
    )
    connection.execute(
        "INSERT INTO study (study_id, patient_id, stated_patient_id, patient_age_years, study_date, offset_days) "
        "VALUES (?1, ?2, ?2, ?3, ?4, ?5) ON CONFLICT (study_id) DO UPDATE SET "
        "stated_patient_id = excluded.stated_patient_id, "
        "patient_age_years = coalesce(excluded.patient_age_years, patient_age_years), "
        "study_date = coalesce(excluded.study_date, study_date), "
        "offset_days = coalesce(excluded.offset_days, offset_days)",
        (
            study_key(name, film.patient_id, film.visit),
            patient_id,
            film.patient_age_years,
            film.study_date,
            film.offset_days,
        ),
    )


def _follow_moved(films: Sequence[CheckedFilm], known: Mapping[str, sqlite3.Row]) -> dict[str, sqlite3.Row]:
    """Return the stored rows by the file that they are listed under now: a film whose bytes have moved keeps its row."""
    listed = {checked.film.file for checked in films}
    moved = {row["content_sha256"]: file for file, row in known.items() if file not in listed}
    known = dict(known)
    for checked in films:
        if checked.film.file not in known and checked.content_sha256 in moved:
            known[checked.film.file] = known.pop(moved.pop(checked.content_sha256))
    return known


def _unchanged(films: Sequence[CheckedFilm], known: Mapping[str, sqlite3.Row]) -> dict[str, int]:
    """Return which stored films of the source still have their bytes: content to image_id, the first row's of several."""
    standing: dict[str, int] = {}
    for checked in films:
        own = known.get(checked.film.file)
        if own is not None and own["content_sha256"] == checked.content_sha256:
            standing.setdefault(checked.content_sha256, own["image_id"])
    return standing


def _same_content(
    connection: sqlite3.Connection, checked: CheckedFilm, source_id: int, written: set[int]
) -> int | None:
    """Return the image_id of the row, of this ingest or another source, that already stands for these bytes."""
    rows = connection.execute(
        "SELECT image_id, source_id FROM image WHERE content_sha256 = ? AND duplicate_of IS NULL ORDER BY image_id",
        (checked.content_sha256,),
    )
    return next((row["image_id"] for row in rows if row["image_id"] in written or row["source_id"] != source_id), None)


_IMAGE_COLUMNS = (
    "source_id", "study_id", "file", "duplicate_of", "modality", "view_position", "patient_position", "body_part_examined",
    "photometric_interpretation", "rows", "columns", "bits_stored", "row_spacing_mm", "column_spacing_mm",
    "spacing_origin", "content_sha256", "note", "license",
)  # fmt: skip


def _write_image(
    connection: sqlite3.Connection,
    name: str,
    source_id: int,
    checked: CheckedFilm,
    original: int | None,
    image_id: int | None,
) -> int:
    """Write one film over the row image_id, or as a new row for None; return its image_id."""
    film = checked.film
    row_spacing, column_spacing = film.pixel_spacing_mm or (None, None)
    values = (
        source_id, study_key(name, film.patient_id, film.visit), film.file, original, film.modality, film.view_position,
        film.patient_position, film.body_part_examined, film.photometric_interpretation, checked.rows, checked.columns,
        checked.bits_stored, row_spacing, column_spacing, film.pixel_spacing_origin, checked.content_sha256, film.note,
        film.license,
    )  # fmt: skip
    if image_id is None:
        marks = ", ".join("?" * len(values))
        statement = f"INSERT INTO image ({', '.join(_IMAGE_COLUMNS)}) VALUES ({marks})"
        image_id = connection.execute(statement, values).lastrowid
    else:
        assignments = ", ".join(f"{column} = ?" for column in _IMAGE_COLUMNS)
        connection.execute(f"UPDATE image SET {assignments} WHERE image_id = ?", (*values, image_id))
    _write_details(connection, image_id, checked)
    return image_id


def _write_details(connection: sqlite3.Connection, image_id: int, checked: CheckedFilm) -> None:
    """Replace the findings, masks and the source's own measurements of one image."""
    connection.execute("DELETE FROM finding WHERE image_id = ?", (image_id,))
    connection.execute("DELETE FROM mask WHERE image_id = ?", (image_id,))
    connection.execute("DELETE FROM measurement WHERE image_id = ? AND run_id IS NULL", (image_id,))
    connection.executemany(
        "INSERT INTO finding (image_id, finding) VALUES (?, ?)",
        [(image_id, finding) for finding in dict.fromkeys(checked.film.findings)],
    )
    connection.executemany(
        "INSERT INTO mask (image_id, structure, convention, provenance, file, rle, lung_value, scaled, values_seen, area_share) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(image_id, m.mask.structure, m.mask.convention, m.mask.provenance, m.mask.file, m.mask.rle, m.mask.lung_value,
          int(m.mask.scaled), m.values_seen, m.area_share) for m in checked.masks],
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO measurement (image_id, name, value, unit) VALUES (?, ?, ?, ?)",
        [(image_id, value.name, value.value, value.unit) for value in checked.film.measurements],
    )


def _write_refusals(connection: sqlite3.Connection, source_id: int, refusals: Iterable[Refusal]) -> None:
    connection.executemany(
        "INSERT INTO refusal (source_id, file, what, reason, detail) VALUES (?, ?, ?, ?, ?)",
        [(source_id, refusal.file, refusal.what, refusal.reason, refusal.detail) for refusal in refusals],
    )
