"""Who is one person is worked out from what is stated now, and nobody leaves the split a network saw them in."""

import pytest

from db import migrations
from db.connection import connect
from db.ingest_rows import write_source
from db.splits import draw_split


def write(db, name, *films):
    write_source(db, name, "/", "manifest", films, rows_read=len(films))


def persons(db):
    return {row["patient_id"]: row["merged_into"] for row in db.execute("SELECT patient_id, merged_into FROM patient")}


def split_of_films(db, split_set="seed0"):
    """By film, the split and who it is of; a film twice or without a split fails."""
    rows = db.execute(
        "SELECT file, split, patient_id FROM image JOIN study USING (study_id) LEFT JOIN split USING (patient_id) "
        "WHERE split_set = ? AND duplicate_of IS NULL",
        (split_set,),
    ).fetchall()
    assert len(rows) == len({row["file"] for row in rows})
    return {row["file"]: row["split"] for row in rows}


def test_a_placeholder_that_is_taken_away_parts_those_whom_it_joined(fresh_db, make_film):
    own = [make_film(f"{n}.png", f"p{n}") for n in range(6)]
    write(fresh_db, "s", *own, *(make_film(f"black{n}.png", f"p{n}", content="black") for n in range(6)))
    draw_split(fresh_db, 0)
    before = split_of_films(fresh_db)
    assert sum(into is None for into in persons(fresh_db).values()) == 1
    write(fresh_db, "s", *own)
    assert persons(fresh_db) == {f"s:p{n}": None for n in range(6)}
    after = split_of_films(fresh_db)
    assert after == {file: split for file, split in before.items() if not file.startswith("black")}
    draw_split(fresh_db, 0)
    assert split_of_films(fresh_db) == after
    assert {row[0] for row in fresh_db.execute("SELECT patient_id FROM study")} == {f"s:p{n}" for n in range(6)}


def test_a_corrected_note_parts_two_ids_again_and_both_stay_where_they_were_seen(fresh_db, make_film):
    films = [make_film(f"{n:03}.png", f"{n:03}") for n in range(100)]
    typo = [
        make_film(f"{n:03}.png", f"{n:03}", same_patient_as=(f"{n + 1:03}",) if n % 2 == 0 else ()) for n in range(100)
    ]
    write(fresh_db, "s", *films)
    draw_split(fresh_db, 0)
    drawn = split_of_films(fresh_db)
    write(fresh_db, "s", *typo)
    joined = split_of_films(fresh_db)
    for n in range(0, 100, 2):
        pair = [f"{n:03}.png", f"{n + 1:03}.png"]
        strongest = min((drawn[file] for file in pair), key=("train", "val", "test").index)
        assert [joined[file] for file in pair] == [strongest] * 2
    write(fresh_db, "s", *films)
    assert set(persons(fresh_db).values()) == {None} and split_of_films(fresh_db) == joined
    assert fresh_db.execute("SELECT count(*) FROM split").fetchone()[0] == 100


def test_the_id_that_stood_for_a_person_may_go(fresh_db, make_film):
    linked = make_film("b.png", "b", same_patient_as=("a",))
    write(fresh_db, "s", make_film("a.png", "a"), linked, make_film("c.png", "c", same_patient_as=("b",)))
    draw_split(fresh_db, 0)
    split = split_of_films(fresh_db)["b.png"]
    write(fresh_db, "s", linked, make_film("c.png", "c", same_patient_as=("b",)))
    assert persons(fresh_db) == {"s:b": None, "s:c": "s:b"}
    assert split_of_films(fresh_db) == {"b.png": split, "c.png": split}


def test_a_source_read_again_leaves_what_others_say_of_persons(fresh_db, make_film):
    write(fresh_db, "a", make_film("1.png", "1"), make_film("2.png", "2", same_patient_as=("1",)))
    write(fresh_db, "b", make_film("3.png", "3", content="hash of 2.png"))
    for _ in range(2):
        assert persons(fresh_db) == {"a:1": None, "a:2": "a:1", "b:3": "a:1"}
        write(fresh_db, "b", make_film("3.png", "3", content="hash of 2.png"))
    write(fresh_db, "b", make_film("3.png", "3"))
    assert persons(fresh_db) == {"a:1": None, "a:2": "a:1", "b:3": None}


def test_ids_of_one_person_that_contradict_each_other_state_no_sex(fresh_db, make_film):
    films = [
        make_film(f"{n}.png", n, patient_sex=sex, same_patient_as=("1",))
        for n, sex in (("1", "M"), ("2", "F"), ("3", "M"))
    ]
    write(fresh_db, "s", *films)
    assert [row["sex"] for row in fresh_db.execute("SELECT sex FROM film_person")] == [None] * 3
    write(fresh_db, "s", films[0], films[2])
    assert [row["sex"] for row in fresh_db.execute("SELECT sex FROM film_person")] == ["M"] * 2


def test_the_age_that_another_row_of_the_same_bytes_states_is_the_films(fresh_db, make_film):
    write(fresh_db, "a", make_film("a.png", content="same"))
    write(fresh_db, "b", make_film("b.png", content="same", patient_age_years=50.0))
    ages = "SELECT age_years, age_group FROM film_person JOIN image USING (image_id) WHERE duplicate_of IS NULL"
    assert tuple(fresh_db.execute(ages).fetchone()) == (50.0, "40 to 64")
    write(fresh_db, "c", make_film("c.png", content="same", patient_age_years=51.0))
    assert tuple(fresh_db.execute(ages).fetchone()) == (None, None)


@pytest.fixture
def old_db(tmp_path, monkeypatch):
    """A database of an older release, schema 5: ids 1 and 2 merged for a reason it does not hold."""
    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:5])
    old = connect(tmp_path / "old.sqlite")
    old.execute("INSERT INTO source VALUES (1, 's', '/', 'manifest', 2, '2026-01-01')")
    for patient, merged in (("s:1", None), ("s:2", "s:1")):
        old.execute("INSERT INTO patient (patient_id, source_id, merged_into) VALUES (?, 1, ?)", (patient, merged))
        old.execute("INSERT INTO study (study_id, patient_id) VALUES (?, 's:1')", (f"{patient}:x",))
        old.execute(
            "INSERT INTO image (source_id, study_id, file, rows, columns, bits_stored, content_sha256) "
            "VALUES (1, ?, ?, 17, 13, 8, ?)",
            (f"{patient}:x", f"{patient[2:]}.png", f"hash of {patient[2:]}.png"),
        )
    old.close()
    monkeypatch.undo()
    return tmp_path / "old.sqlite"


def test_persons_of_an_older_database_stay_merged_until_their_source_is_read_again(old_db, make_film):
    db = connect(old_db)
    assert [row[0] for row in db.execute("SELECT stated_patient_id FROM study ORDER BY 1")] == ["s:1", "s:2"]
    write(db, "other", make_film("o.png", "o"))
    assert persons(db) == {"s:1": None, "s:2": "s:1", "other:o": None}
    write(db, "s", make_film("1.png", "1", "hash of 1.png", study_id="x"), make_film("2.png", "2", study_id="x"))
    assert persons(db) == {"s:1": None, "s:2": None, "other:o": None}


def test_ids_with_colons_are_not_taken_for_others(fresh_db, make_film):
    ids = [("7", "8:9"), ("7:8", "9"), ("7\\", "8:9"), ("7\\:8", "9"), ("7", "\\8:9")]
    for _ in range(2):
        write(fresh_db, "s", *(make_film(f"{n}.png", p, study_id=study) for n, (p, study) in enumerate(ids)))
        rows = fresh_db.execute(
            "SELECT patient_id, study_id FROM image JOIN study USING (study_id) ORDER BY file"
        ).fetchall()
        assert [row["patient_id"] for row in rows] == [f"s:{patient}" for patient, _ in ids]
        assert len({row["study_id"] for row in rows}) == 5 and rows[0]["study_id"] == "s:7:8:9"


def test_a_corrected_id_stays_in_the_split_that_its_films_were_seen_in(fresh_db, make_film):
    """A renamed patient was drawn anew: whom one network was tested on, the next one trained on."""
    write(fresh_db, "s", *(make_film(f"{n:03}.png", f"{n:03}") for n in range(100)))
    draw_split(fresh_db, 0)
    draw_split(fresh_db, 1)
    drawn = [split_of_films(fresh_db, name) for name in ("seed0", "seed1")]
    write(fresh_db, "s", *(make_film(f"{n:03}.png", f"renamed{n}") for n in range(100)))
    assert [split_of_films(fresh_db, name) for name in ("seed0", "seed1")] == drawn
    draw_split(fresh_db, 0)
    assert split_of_films(fresh_db) == drawn[0]
    assert fresh_db.execute("SELECT count(*) FROM split WHERE patient_id NOT LIKE 's:renamed%'").fetchone()[0] == 0


def test_a_film_that_is_given_to_another_patient_takes_the_stronger_split_along(fresh_db, make_film):
    films = [make_film(f"{n:03}.png", f"{n:03}") for n in range(40)]
    write(fresh_db, "s", *films)
    draw_split(fresh_db, 0)
    drawn = split_of_films(fresh_db)
    train, test = (next(file for file, split in drawn.items() if split == name) for name in ("train", "test"))
    for moved, kept in ((train, test), (test, train)):  # a film to the patient of another one
        rows = [make_film(f"{n:03}.png", kept[:3] if f"{n:03}.png" == moved else f"{n:03}") for n in range(40)]
        write(fresh_db, "s", *rows)
        assert split_of_films(fresh_db) == {**drawn, train: "train", test: "train"}


def test_other_bytes_under_the_same_name_take_no_split_along(fresh_db, make_film):
    write(fresh_db, "s", make_film("a.png", "1"), make_film("b.png", "2"))
    draw_split(fresh_db, 0)
    write(fresh_db, "s", make_film("a.png", "3", content="other"), make_film("b.png", "2"))
    assert set(split_of_films(fresh_db)) == {"b.png"}
