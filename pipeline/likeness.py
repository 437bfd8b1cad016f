"""Films that show the same picture as another, found by opening each of them."""

from collections.abc import Iterable

from data.loading import load_record
from data.near_duplicates import film_print, near_pairs
from data.reasons import reason
from db.records import ImageRecord
from report.page import Table

Note = tuple[int, str, str, str, str, float | None, str]
UNREADABLE = "unreadable"


def find_likenesses(records: Iterable[ImageRecord]) -> tuple[Table, list[Note]]:
    """Return a table of what was found, counted, and a note for each pair and for each film that cannot be read.

    A note is (image_id, source, patient_id, file, fact, correlation, why), of a pair's later film. Pairs of identical bytes are
    left out: the database knows them without opening a file.
    """
    films, prints, notes = [], [], []
    for record in records:
        try:
            prints.append(film_print(load_record(record)))
            films.append(record)
        except (ValueError, OSError, MemoryError) as error:
            why = reason(error, record.path)
            notes.append((record.image_id, record.source, record.patient_id, record.file, UNREADABLE, None, why))
    unreadable, same, other = len(notes), 0, 0
    for i, j, correlation in near_pairs(prints):
        first, second = films[i], films[j]
        if first.content_sha256 == second.content_sha256:
            continue
        person = first.patient_id == second.patient_id
        same, other = same + person, other + (not person)
        why = f"looks like image {first.image_id} of {'the same' if person else 'ANOTHER'} person"
        notes.append(
            (second.image_id, second.source, second.patient_id, second.file, "likeness", round(correlation, 4), why)
        )
    lines = [
        ("same person", same),
        ("two persons", other),
        ("films compared", len(films)),
        ("films not readable", unreadable),
    ]
    caption = (
        "Pairs of films that show nearly the same picture although their bytes differ; each is in rows_to_look_at.csv."
    )
    return Table(("pairs", "number"), lines, caption, source="db/queries/every_image.sql"), notes
