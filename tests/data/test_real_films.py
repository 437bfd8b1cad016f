"""What is known of the real films, where they are at hand; skipped elsewhere."""

from pathlib import Path

import pytest

from data import ingest
from db.connection import connect
from db.selection import query_text, run_query
from db.splits import draw_split

REAL = Path(__file__).parent.parent.parent.parent / "shared" / "cxr"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="the real films are not on this machine")
V7 = {"convention": "includes_heart", "provenance": "manual", "source": "covid_chestxray"}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    db = tmp_path_factory.mktemp("real") / "films.sqlite"
    assert ingest.main(["covid_chestxray", str(REAL / "covid"), "--db", str(db)]) == 0
    assert ingest.main(["manifest", str(REAL / "montgomery"), "--db", str(db)]) == 0
    return db


def test_the_covid_flow_is_the_published_one(database):
    connection = connect(database)
    flow = {
        row["label"]: (row["removed"], row["remaining"]) for row in run_query(connection, query_text("cohort_flow"), V7)
    }
    assert flow["refused at ingest"] == (0, 553)
    assert flow["same film listed again"] == (5, 548)
    assert flow["CT, MR or another modality"] == (46, 502)
    assert flow["lateral or another view"] == (18, 484)
    assert flow["view not stated"] == (6, 478)
    persons = """
        SELECT count(DISTINCT patient_id)
        FROM image JOIN study USING (study_id) JOIN source USING (source_id)
        WHERE name = ?
    """
    assert connection.execute(persons, ("covid_chestxray",)).fetchone()[0] == 294


def test_montgomery_patients_under_several_ids_are_merged(database):
    connection = connect(database)
    merged = connection.execute(
        "SELECT patient_id, merged_into FROM patient WHERE merged_into LIKE 'montgomery%'"
    ).fetchall()
    assert {row["patient_id"][-4:]: row["merged_into"][-4:] for row in merged} == {
        "0117": "0113",
        "0166": "0162",
        "0170": "0162",
    }


def test_no_patient_is_in_two_splits(database):
    connection = connect(database)
    split_set = draw_split(connection, 0)
    rows = connection.execute(
        "SELECT patient_id, split FROM image JOIN study USING (study_id) JOIN split USING (patient_id) WHERE split_set = ?",
        (split_set,),
    ).fetchall()
    splits = {}
    for patient, name in rows:
        splits.setdefault(patient, set()).add(name)
    assert len(rows) == 553 + 138 and all(len(names) == 1 for names in splits.values())
