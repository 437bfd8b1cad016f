"""Several ids of one person become one patient before any split is drawn, and several again when nothing joins them any more."""

import sqlite3
from collections.abc import Iterable, Mapping

STRONGEST = ("train", "val", "test")
"""Where a person was in several splits, the first of these holds, so that nobody is tested on whom a network has learnt from."""

_LINKS = """
WITH link (one, other) AS (
    SELECT patient_id, other_id FROM same_person
    UNION ALL
    SELECT again.stated_patient_id, first.stated_patient_id
    FROM image AS copy
    JOIN image AS film ON film.image_id = copy.duplicate_of
    JOIN study AS again ON again.study_id = copy.study_id
    JOIN study AS first ON first.study_id = film.study_id
)
SELECT one, other FROM link
WHERE one <> other AND one IN (SELECT stated_patient_id FROM study) AND other IN (SELECT stated_patient_id FROM study)
"""


def write_links(connection: sqlite3.Connection, source_id: int, links: Iterable[tuple[str, str]]) -> None:
    """Replace the pairs of patient_id that a source says are one person. Call in a transaction."""
    connection.execute("DELETE FROM same_person WHERE source_id = ?", (source_id,))
    connection.executemany(
        "INSERT INTO same_person (source_id, patient_id, other_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(source_id, *link) for link in links],
    )


def settle_persons(connection: sqlite3.Connection) -> None:
    """Let one id stand for each person, as the present links say, and move the studies and splits to that id.

    Ids are joined by what sources say and by films of the same bytes, directly or through others; pairs with an id the
    database does not have are ignored (a note may name a film that is not there). The first id in alphabetical order stands
    for the person. Ids that no study states any more are removed. Call in a transaction.
    """
    before = dict(
        map(tuple, connection.execute("SELECT patient_id, merged_into FROM patient WHERE merged_into IS NOT NULL"))
    )
    now = _persons(map(tuple, connection.execute(_LINKS)))
    unstated = "patient_id NOT IN (SELECT stated_patient_id FROM study)"
    gone = {row[0] for row in connection.execute(f"SELECT patient_id FROM patient WHERE {unstated}")}
    changed = {name for name in (before.keys() | now.keys()) - gone if now.get(name, name) != before.get(name, name)}
    _carry_splits(connection, changed, before, now)
    connection.executemany(
        "UPDATE patient SET merged_into = nullif(?, patient_id) WHERE patient_id = ?",
        [(now.get(name, name), name) for name in changed],
    )
    person = (
        "(SELECT coalesce(merged_into, patient_id) FROM patient WHERE patient.patient_id = study.stated_patient_id)"
    )
    connection.execute(f"UPDATE study SET patient_id = {person} WHERE patient_id <> {person}")
    connection.executemany("DELETE FROM patient WHERE patient_id = ?", [(name,) for name in gone])


def note_splits(connection: sqlite3.Connection, source_id: int) -> None:
    """Note the splits of a source's films, before it is written anew, for `hand_on_splits`. Call both in one transaction."""
    connection.execute("DROP TABLE IF EXISTS temp.former_split")
    connection.execute(
        "CREATE TEMP TABLE former_split AS SELECT DISTINCT content_sha256, patient_id, split_set, split "
        "FROM image JOIN study USING (study_id) JOIN split USING (patient_id) WHERE image.source_id = ?",
        (source_id,),
    )


def hand_on_splits(connection: sqlite3.Connection) -> None:
    """Let a film that another person has now, such as one whose id was corrected, take its splits along to that person.

    Otherwise a corrected id would be drawn anew, and who was tested on could be trained on next. The strongest split holds.
    """
    order = " ".join(STRONGEST)
    rows = connection.execute(
        "SELECT DISTINCT former.split_set, study.patient_id, former.split FROM temp.former_split AS former "
        "JOIN image USING (content_sha256) JOIN study USING (study_id) WHERE study.patient_id <> former.patient_id"
    ).fetchall()
    connection.executemany(
        "INSERT INTO split (split_set, patient_id, split) VALUES (?, ?, ?) ON CONFLICT (split_set, patient_id) "
        "DO UPDATE SET split = excluded.split WHERE instr(?, excluded.split) < instr(?, split.split)",
        [(*row, order, order) for row in rows],
    )
    connection.execute("DROP TABLE temp.former_split")


def _persons(links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for every linked id the id that stands for the person."""
    person: dict[str, str] = {}

    def find(name: str) -> str:
        while person.setdefault(name, name) != name:
            person[name] = person[person[name]]  # shortens later look-ups
            name = person[name]
        return name

    for one, other in links:
        keep, drop = sorted((find(one), find(other)))
        person[drop] = keep
    return {name: find(name) for name in person}


def _carry_splits(
    connection: sqlite3.Connection, changed: set[str], before: Mapping[str, str], now: Mapping[str, str]
) -> None:
    """Let every id keep the splits it was in; where ids are joined, the strongest split holds."""
    came_from: dict[str, set[str]] = {}
    for name in changed:
        person = now.get(name, name)
        came_from.setdefault(person, {before.get(person, person)}).add(before.get(name, name))
    splits = {
        person: dict(
            sorted(
                (row for old in olds for row in _splits_of(connection, old)),
                key=lambda row: -STRONGEST.index(row[1]),  # the last of a name stays
            )
        )
        for person, olds in came_from.items()
    }
    connection.executemany("DELETE FROM split WHERE patient_id = ?", [(name,) for name in {*splits, *changed}])
    connection.executemany(
        "INSERT INTO split (split_set, patient_id, split) VALUES (?, ?, ?)",
        [(name, person, split) for person, held in splits.items() for name, split in held.items()],
    )


def _splits_of(connection: sqlite3.Connection, patient_id: str) -> list[tuple[str, str]]:
    return [
        tuple(row)
        for row in connection.execute("SELECT split_set, split FROM split WHERE patient_id = ?", (patient_id,))
    ]
