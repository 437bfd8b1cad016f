"""Several ids of one person become one patient before any split is drawn."""

import sqlite3
from collections.abc import Iterable


def merge_patients(connection: sqlite3.Connection, links: Iterable[tuple[str, str]]) -> None:
    """Merge the patients that the links join, directly or through others, and move their studies to the one that stays.

    links: pairs of patient_id that are the same person; pairs with an id the database does not have are ignored (a note
    may name a film that is not there). The first id in alphabetical order stands for the person. Call in a transaction.
    """
    known = {
        row["patient_id"]: row["merged_into"]
        for row in connection.execute("SELECT patient_id, merged_into FROM patient")
    }
    person = {patient_id: merged_into or patient_id for patient_id, merged_into in known.items()}

    def find(patient_id: str) -> str:
        while person[patient_id] != patient_id:
            patient_id = person[patient_id]
        return patient_id

    for one, other in links:
        if one in known and other in known:
            keep, drop = sorted((find(one), find(other)))
            person[drop] = keep
    for patient_id, before in known.items():
        now = find(patient_id)
        if now != (before or patient_id):
            _merge_one(connection, patient_id, now)
    _move_studies(connection)


def _merge_one(connection: sqlite3.Connection, patient_id: str, into: str) -> None:
    """Let one id stand for another, also in the splits that are drawn: whom a network has seen stays seen."""
    connection.execute("UPDATE patient SET merged_into = ? WHERE patient_id = ?", (into, patient_id))
    connection.execute(
        "INSERT INTO split (split_set, patient_id, split) SELECT split_set, ?, split FROM split WHERE patient_id = ? "
        "ON CONFLICT (split_set, patient_id) DO UPDATE SET split = CASE WHEN 'train' IN (split, excluded.split) THEN 'train' "
        "WHEN 'val' IN (split, excluded.split) THEN 'val' ELSE 'test' END",
        (into, patient_id),
    )
    connection.execute("DELETE FROM split WHERE patient_id = ?", (patient_id,))


def _move_studies(connection: sqlite3.Connection) -> None:
    """Every study belongs to a person, also one written again under an id that was merged long ago."""
    connection.execute(
        "UPDATE study SET patient_id = (SELECT merged_into FROM patient WHERE patient.patient_id = study.patient_id) "
        "WHERE patient_id IN (SELECT patient_id FROM patient WHERE merged_into IS NOT NULL)"
    )
