"""The export of the embedded hospital: what is in it, and that ingest copes with it."""

import hashlib

import pytest

from data import ingest
from data.sources import phantom
from db.connection import connect
from db.selection import query_text, run_query, select_images

DEFAULT = {"convention": "clear_field", "provenance": "phantom", "source": "all"}


def fingerprint(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setattr(phantom, "SIZE", 96)
    patch.setattr(phantom.os, "cpu_count", lambda: 1)  # other processes would not see the smaller size
    folder = tmp_path_factory.mktemp("hospital")
    films = list(phantom.generate(folder / "twelve", 12, seed=5))
    again = list(phantom.generate(folder / "eight", 8, seed=5))
    db = folder / "films.sqlite"
    status = ingest.main(["phantom", "--count", "12", "--seed", "5", "--db", str(db)])
    patch.undo()
    return folder, films, again, db, status


def test_as_many_rows_come_as_the_progress_line_expects(export):
    assert [len(films) for films in export[1:3]] == [phantom.count_rows(count) for count in (12, 8)]


def test_the_same_seed_gives_the_same_bytes_also_in_a_larger_set(export):
    folder, films, again, _, _ = export
    twelve, eight = fingerprint(folder / "twelve"), fingerprint(folder / "eight")
    drawn = [name for name in eight if "film" in name]
    assert len(drawn) == 8 * 4 and all(twelve[name] == eight[name] for name in drawn)
    assert films[:8] == again[:8]
    assert fingerprint(folder / "films_films").items() >= {name: twelve[name] for name in drawn}.items()


def test_it_is_like_a_hospitals_export(export):
    films = export[1]
    frontal = [film for film in films if film.masks and film.measurements]
    assert len(frontal) == 12 and len({film.patient_id for film in frontal}) < 12
    assert {film.modality for film in films} >= {"CT", "MR", "DX"} or len({film.modality for film in films}) >= 3
    assert any(film.body_part_examined == "HAND" for film in films) or any(film.view_position == "LL" for film in films)
    assert any(film.same_patient_as for film in films)


def test_ingest_refuses_the_broken_rows_and_selection_the_distractors(export):
    db, status = export[3], export[4]
    assert status == 1
    connection = connect(db)
    reasons = {row["reason"] for row in connection.execute("SELECT reason FROM refusal")}
    assert reasons == {"missing file", "unreadable or truncated", "mask of another size", "mask values not understood"}
    records = select_images(connection, query_text("segmentation_images"), DEFAULT)
    assert 8 <= len(records) <= 12 and all(record.file.startswith("images/film") for record in records)
    flow = run_query(connection, query_text("cohort_flow"), DEFAULT)
    assert flow[-1]["remaining"] == len(records) and flow[0]["removed"] == 2
    assert connection.execute("SELECT count(*) FROM patient WHERE merged_into IS NOT NULL").fetchone()[0] == 1
    exact = connection.execute("SELECT count(DISTINCT name) FROM measurement WHERE run_id IS NULL").fetchone()[0]
    assert exact == 9
