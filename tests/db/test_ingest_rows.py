import pytest

from db.ingest_rows import Refusal, write_source
from db.records import SourceMeasurement


def write(db, films, name="s", **more):
    write_source(db, name, "/root", "manifest", films, rows_read=len(films), **more)


def persons(db):
    return {row["patient_id"]: row["merged_into"] for row in db.execute("SELECT patient_id, merged_into FROM patient")}


def test_reading_a_source_again_changes_nothing_but_what_changed(fresh_db, make_film):
    write(fresh_db, [make_film("a.png"), make_film("b.png", "p2", findings=("effusion", "effusion", "opacity"))])
    before = {row["file"]: row["image_id"] for row in fresh_db.execute("SELECT * FROM image")}
    write(
        fresh_db,
        [make_film("b.png", "p2"), make_film("c.png", "p3")],
        refusals=[Refusal(file="x", what="image", reason="r", detail="d")],
    )
    after = {row["file"]: row["image_id"] for row in fresh_db.execute("SELECT * FROM image")}
    assert after.keys() == {"b.png", "c.png"} and after["b.png"] == before["b.png"]
    assert set(persons(fresh_db)) == {"s:p2", "s:p3"}
    assert fresh_db.execute("SELECT count(*) FROM finding").fetchone()[0] == 0
    assert fresh_db.execute("SELECT count(*) FROM refusal").fetchone()[0] == 1


def test_the_same_bytes_under_two_patients_are_one_film_of_one_person(fresh_db, make_film):
    films = [make_film("a.png", "p7", "same"), make_film("a.png", "p3", "same"), make_film("b.png", "p3")]
    for _ in range(2):  # reading the source again must come to the same
        write(fresh_db, films)
        assert persons(fresh_db) == {"s:p3": None, "s:p7": "s:p3"}
        doubled = fresh_db.execute("SELECT count(*) FROM image WHERE duplicate_of IS NOT NULL").fetchone()[0]
        assert doubled == 1
        assert fresh_db.execute("SELECT count(*) FROM image").fetchone()[0] == 3
        assert {row[0] for row in fresh_db.execute("SELECT DISTINCT patient_id FROM study")} == {"s:p3"}


def test_the_same_bytes_in_two_sources_merge_their_patients(fresh_db, make_film):
    write(fresh_db, [make_film("a.png", "p1", "same")], name="one")
    write(fresh_db, [make_film("z.png", "q1", "same"), make_film("y.png", "q1")], name="two")
    assert persons(fresh_db) == {"one:p1": None, "two:q1": "one:p1"}
    write(fresh_db, [make_film("a.png", "p1", "same")], name="one")
    assert fresh_db.execute("SELECT file FROM image WHERE duplicate_of IS NOT NULL").fetchall()[0]["file"] == "z.png"


def test_same_patient_notes_join_through_others_and_ignore_the_unknown(fresh_db, make_film):
    films = [
        make_film("a.png", "162"),
        make_film("b.png", "166", same_patient_as=("162",)),
        make_film("c.png", "170", same_patient_as=("166", "not there")),
        make_film("d.png", "200"),
    ]
    write(fresh_db, films)
    assert persons(fresh_db) == {"s:162": None, "s:166": "s:162", "s:170": "s:162", "s:200": None}


def test_sex_of_a_person_comes_from_any_of_the_ids(fresh_db, make_film):
    write(fresh_db, [make_film("a.png", "1"), make_film("b.png", "2", patient_sex="F", same_patient_as=("1",))])
    assert [row["sex"] for row in fresh_db.execute("SELECT sex FROM film_person")] == ["F", "F"]


def test_a_fact_that_the_source_no_longer_states_is_forgotten(fresh_db, make_film):
    def facts():
        columns = "sex, patient_age_years, study_date, offset_days"
        statement = f"SELECT {columns} FROM film_person JOIN image USING (image_id) JOIN study USING (study_id)"
        return tuple(fresh_db.execute(f"{statement} WHERE duplicate_of IS NULL").fetchone())

    stated = {"patient_sex": "M", "patient_age_years": 400.0, "study_date": "2020", "offset_days": 3.0}
    write(fresh_db, [make_film("a.png", **stated)])
    assert facts() == ("M", 400.0, "2020", 3.0)
    write(fresh_db, [make_film("a.png")], name="other")
    assert facts() == ("M", 400.0, "2020", 3.0)
    write(fresh_db, [make_film("a.png")])
    assert facts() == (None, None, None, None)


def test_a_merged_persons_sex_is_still_known_when_the_source_is_read_again(fresh_db, make_film):
    films = [make_film("a.png", "1"), make_film("b.png", "2", patient_sex="F", same_patient_as=("1",))]
    for _ in range(2):
        write(fresh_db, films)
        assert [row["sex"] for row in fresh_db.execute("SELECT sex FROM film_person")] == ["F", "F"]


def test_measurements_of_the_source_are_replaced_those_of_runs_kept(fresh_db, make_film):
    value = SourceMeasurement(name="cardiothoracic_ratio", value=0.5, unit="ratio")
    write(fresh_db, [make_film(measurements=(value,))])
    image_id = fresh_db.execute("SELECT image_id FROM image").fetchone()[0]
    fresh_db.execute(
        "INSERT INTO run (command, folder, config, status, started_at) VALUES ('predict','f','{}','finished','t')"
    )
    fresh_db.execute(
        "INSERT INTO measurement (image_id, run_id, name, value, unit) VALUES (?, 1, 'cardiothoracic_ratio', 0.6, 'ratio')",
        (image_id,),
    )
    write(
        fresh_db, [make_film(measurements=(SourceMeasurement(name="cardiothoracic_ratio", value=0.4, unit="ratio"),))]
    )
    values = [row["value"] for row in fresh_db.execute("SELECT value FROM measurement ORDER BY run_id")]
    assert values == [0.4, 0.6]


def originals(db):
    rows = db.execute(
        "SELECT source.name || '/' || file AS film, content_sha256 AS content FROM image JOIN source USING (source_id) "
        "WHERE duplicate_of IS NULL ORDER BY film"
    )
    return {row["film"]: row["content"] for row in rows}


@pytest.mark.parametrize("now", [[], [("x.png", "new")]])
def test_a_film_that_another_source_lists_too_stays_when_the_first_loses_or_changes_it(fresh_db, make_film, now):
    def listing(*films):
        return [make_film(file, f"p{number}", content=content) for number, (file, content) in enumerate(films)]

    write_source(fresh_db, "a", "/", "manifest", listing(("x.png", "old"), ("z.png", "other")))
    write_source(fresh_db, "b", "/", "manifest", listing(("y.png", "old")))
    write_source(fresh_db, "c", "/", "manifest", listing(("v.png", "old"), ("w.png", "old")))
    write_source(fresh_db, "a", "/", "manifest", listing(("z.png", "other"), *now))
    kept = {"a/z.png": "other", "b/y.png": "old", **{f"a/{file}": content for file, content in now}}
    assert originals(fresh_db) == kept
    assert fresh_db.execute("SELECT count(*) FROM mask JOIN image USING (image_id)").fetchone()[0] == 4 + len(now)
    copies = fresh_db.execute(
        "SELECT copy.file, film.file FROM image AS copy JOIN image AS film ON copy.duplicate_of = film.image_id ORDER BY 1"
    )
    assert [tuple(row) for row in copies] == [("v.png", "y.png"), ("w.png", "y.png")]


def test_a_film_whose_bytes_become_those_of_another_source_is_the_same_film_again(fresh_db, make_film):
    write_source(fresh_db, "a", "/", "manifest", [make_film("x.png", "p", content="same")])
    write_source(fresh_db, "b", "/", "manifest", [make_film("y.png", "q", content="before")])
    write_source(fresh_db, "b", "/", "manifest", [make_film("y.png", "q", content="same")])
    assert originals(fresh_db) == {"a/x.png": "same"}
    assert fresh_db.execute("SELECT count(DISTINCT patient_id) FROM study").fetchone()[0] == 1


@pytest.mark.parametrize("again", [("a.png", "b.png", "c.png"), ("b.png", "a.png", "b.png"), ("a.png", "b.png")])
def test_a_film_that_stood_for_its_bytes_keeps_its_scores_when_a_copy_is_listed_above_it(fresh_db, make_film, again):
    def listing(*files):
        return [make_film(file, "p", content="other" if file == "c.png" else "same") for file in files]

    write(fresh_db, listing("b.png", "c.png"))
    image_id = fresh_db.execute("SELECT image_id FROM image WHERE file = 'b.png'").fetchone()[0]
    fresh_db.execute(
        "INSERT INTO run (command, folder, config, status, started_at) VALUES ('evaluate','f','{}','finished','t')"
    )
    fresh_db.execute(
        "INSERT INTO measurement (image_id, run_id, name, value, unit) VALUES (?, 1, 'cardiothoracic_ratio', 0.6, 'ratio')",
        (image_id,),
    )
    for _ in range(2):
        write(fresh_db, listing(*again))
        rows = fresh_db.execute("SELECT file, image_id, duplicate_of FROM image WHERE file <> 'c.png'").fetchall()
        assert ("b.png", image_id, None) in [tuple(row) for row in rows]
        assert sum(row["duplicate_of"] is None for row in rows) == 1 and len(rows) == again.count(
            "a.png"
        ) + again.count("b.png")
        assert fresh_db.execute("SELECT count(*) FROM measurement WHERE run_id = 1").fetchone()[0] == 1
