"""What an ingest says at its end: what was read, written and refused, and what a reader should look at."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data.reasons import one_line
from db.ingest_rows import CheckedFilm, Refusal
from db.listed_again import masks_not_used

LIGHTER = 0.05  # in [0, 1]: of 690 real films with masks no film has lungs lighter by this, of their negatives 663
LARGEST_SHARE = 0.7  # of a film that a mask may cover without a note; both lungs cover half of a narrow film


def count_masks(connection: sqlite3.Connection, name: str) -> int:
    """Return how many masks a source's own rows have in the database."""
    statement = (
        "SELECT count(*) FROM mask JOIN image USING (image_id) JOIN source USING (source_id) "
        "WHERE source.name = ? AND mask.listed_by IS NULL"
    )
    return connection.execute(statement, (name,)).fetchone()[0]


def print_counts(
    connection: sqlite3.Connection,
    name: str,
    rows: int,
    checked: Sequence[CheckedFilm],
    refusals: Iterable[Refusal],
    db: Path,
) -> None:
    """Say what was read, written and refused, one line per reason with its first example.

    name: of the source. rows: of its table. checked: the films written. refusals: of films, masks and facts. db: the file.
    """
    again, persons, ids = connection.execute(
        "SELECT count(duplicate_of), count(DISTINCT study.patient_id), "
        "(SELECT count(*) FROM patient JOIN source USING (source_id) WHERE source.name = ?1) "
        "FROM image JOIN source USING (source_id) JOIN study USING (study_id) WHERE source.name = ?1",
        (name,),
    ).fetchone()
    masks = sum(len(film.masks) for film in checked)
    listed = f", {again} of them the same film listed again" if again else ""
    merged = f" ({ids} ids, {ids - persons} merged)" if ids != persons else ""
    print(
        f"{name}: {rows} rows read, {len(checked)} written{listed}, {masks} masks, {persons} patients{merged} -> {db}"
    )
    for note in _notes(connection, name, checked):
        print(f"  {note}")
    reasons: dict[tuple[str, str], list[Refusal]] = {}
    for refusal in refusals:
        reasons.setdefault((refusal.what, refusal.reason), []).append(refusal)
    for (what, reason), group in sorted(reasons.items(), key=lambda item: -len(item[1])):
        print(f"  refused {what}: {len(group)} x {reason}; the first: {group[0].detail}")


def _lungs_are_lighter(film: CheckedFilm) -> bool:
    """Tell whether a film's lungs are lighter on average than what surrounds them, as they are on a negative."""
    differences = [mask.darker_by for mask in film.masks if mask.darker_by is not None]
    return bool(differences) and sum(differences) < -LIGHTER * len(differences)


def _notes(connection: sqlite3.Connection, name: str, checked: Sequence[CheckedFilm]) -> Iterator[str]:
    """Yield what a reader should look at."""
    films, with_mask, unstated = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT 1 FROM mask WHERE mask.image_id = image.image_id)), "
        "count(*) FILTER (WHERE modality IS NULL OR view_position IS NULL) "
        "FROM image JOIN source USING (source_id) WHERE source.name = ? AND duplicate_of IS NULL",
        (name,),
    ).fetchone()
    if 0 < with_mask < films:
        yield f"{with_mask} of the {films} films have a mask"
    if unstated:
        yield (
            f"note: films that state no modality or no view, so that training and evaluation leave them out: {unstated} of the "
            f"{films}; state CR or DX, and PA or AP"
        )
    empty = [film.film.file for film in checked for mask in film.masks if mask.area_share == 0]
    if empty:
        yield f"note: empty masks, which say that the structure is not there: {len(empty)}; the first: {one_line(empty[0])}"
    large = [film.film.file for film in checked for mask in film.masks if mask.area_share > LARGEST_SHARE]
    if large:
        yield (
            f"note: masks that cover more than {LARGEST_SHARE:.0%} of their film: {len(large)}; are inside and outside "
            f"exchanged? The first: {one_line(large[0])}"
        )
    lighter = list(dict.fromkeys(film.film.file for film in checked if _lungs_are_lighter(film)))
    if lighter:
        yield (
            f"note: films whose lungs are lighter than what surrounds them: {len(lighter)}; are the grey levels inverted? State "
            f"the photometric interpretation that is true; the first: {one_line(lighter[0])}"
        )
    in_one = [film.film.file for film in checked for mask in film.masks if mask.in_one]
    if in_one:
        yield (
            f"note: masks of both lungs that are not two clean pieces side by side (grown together? turned?) and teach only "
            f"where lung is, not whose: {len(in_one)}; the first: {one_line(in_one[0])}"
        )
    aliases = connection.execute(
        "SELECT patient_id, merged_into FROM patient JOIN source USING (source_id) "
        "WHERE source.name = ? AND merged_into IS NOT NULL ORDER BY patient_id",
        (name,),
    ).fetchall()
    if aliases:
        one, other = map(one_line, aliases[0])
        yield (
            f"note: patient ids of a person known under another id, since both have the same film or a source says so: "
            f"{len(aliases)}; the first: {one} is {other}"
        )
    unused, first = masks_not_used(connection, name)
    if unused:
        yield (
            f"note: masks of films listed again that are not used, as the film has another of that structure, convention and "
            f"provenance: {unused}; the first: {one_line(first)}"
        )
