from contextlib import nullcontext

import pytest

from db.asked import check_asked
from db.ingest_rows import Refusal, write_source
from db.records import MASK_STRUCTURES, SourceMeasurement
from db.selection import Selection, query_text, run_query, select_images
from db.splits import draw_split
from unet.structures import HEART, LUNGS, STRUCTURES

DEFAULT = {"convention": "clear_field", "provenance": "manual,landmark,phantom", "source": "all"}


def fill(db, films, refusals=()):
    write_source(db, "s", "/root", "manifest", films, refusals, rows_read=len(films) + len(refusals))


def test_selection_takes_frontal_chest_films_with_a_usable_mask(fresh_db, make_film):
    fill(fresh_db, [
        make_film("good.png", "1"),
        make_film("ap.png", "2", view_position="AP", modality="DX", body_part_examined="CHEST"),
        make_film("ct.png", "3", modality="CT"),
        make_film("lateral.png", "4", view_position="LL"),
        make_film("unstated.png", "5", view_position=None),
        make_film("hand.png", "6", body_part_examined="HAND"),
        make_film("other convention.png", "7", convention="includes_heart"),
        make_film("model.png", "8", provenance="model"),
        make_film("no mask.png", "9", convention=None),
        make_film("listed again.png", "10", content="hash of good.png"),
    ])  # fmt: skip
    draw_split(fresh_db, seed=0)
    records = select_images(fresh_db, query_text("segmentation_images"), DEFAULT, "seed0")
    assert [record.file for record in records] == ["ap.png", "good.png"]
    record = records[1]
    assert str(record.path) == "/root/good.png" and str(record.masks[0].path) == "/root/masks/good.png"
    assert (record.height, record.width) == (17, 13)
    assert record.split in ("train", "val", "test")


def test_cohort_flow_counts_every_row_once(fresh_db, make_film):
    fill(
        fresh_db,
        [make_film("a.png", "1"), make_film("b.png", "2", content="hash of a.png"), make_film("c.png", "3", modality="CT"),
         make_film("d.png", "3", modality=None), make_film("e.png", "4", view_position="LL"),
         make_film("f.png", "5", view_position=None), make_film("g.png", "6", body_part_examined="HAND"),
         make_film("h.png", "7", convention=None)],
        [Refusal(file="x.png", what="image", reason="missing", detail="d"),
         Refusal(file="a.png", what="mask", reason="r", detail="d")],
    )  # fmt: skip
    flow = run_query(fresh_db, query_text("cohort_flow"), DEFAULT)
    assert [row["removed"] for row in flow] == [1, 1, 1, 1, 1, 1, 1, 1]
    assert [row["remaining"] for row in flow] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert flow[-1]["remaining"] == len(select_images(fresh_db, query_text("segmentation_images"), DEFAULT))


def test_a_patients_films_come_in_the_order_of_their_days(fresh_db, make_film):
    days = {
        "c.png": {"study_date": "2021-05-01"}, "b.png": {"study_date": "2019-05-01"}, "a.png": {},
        "e.png": {"offset_days": 4.0}, "d.png": {"offset_days": 2.0},
    }  # fmt: skip
    write_source(fresh_db, "s", "/", "manifest", [make_film(file, **day) for file, day in days.items()])
    files = dict(fresh_db.execute("SELECT image_id, file FROM image").fetchall())
    rows = run_query(fresh_db, query_text("cohort_images"), {"source": "all", "split_set": "seed0"})
    assert [files[row["image_id"]] for row in rows] == ["d.png", "e.png", "b.png", "c.png", "a.png"]


def test_an_age_that_cannot_be_counts_as_not_stated_in_every_table(fresh_db, make_film):
    ages = {"a.png": 0.0, "b.png": -3.0, "c.png": 140.0, "d.png": 64.0, "e.png": 65.0, "f.png": 0.5}
    films = [make_film(file, file, patient_age_years=age) for file, age in ages.items()]
    write_source(fresh_db, "s", "/", "manifest", films)
    parameters = {"source": "all", "split_set": "seed0"}
    rows = {row["image_id"]: row for row in run_query(fresh_db, query_text("cohort_images"), parameters)}
    found = [(row["age_years"], row["age_group"]) for row in sorted(rows.values(), key=lambda row: row["image_id"])]
    assert found == [(None, None)] * 3 + [(64.0, "40 to 64"), (65.0, "65 and over"), (0.5, "under 18")]
    groups = dict(fresh_db.execute("SELECT image_id, level FROM film_group WHERE grouping = 'age'").fetchall())
    assert groups == {image_id: row["age_group"] or "not stated" for image_id, row in rows.items()}


def test_a_structure_drawn_twice_is_taken_from_the_more_trusted_hand(fresh_db, make_film):
    fill(fresh_db, [make_film("a.png", "1", provenance="model")])
    image_id = fresh_db.execute("SELECT image_id FROM image").fetchone()[0]
    fresh_db.execute(
        "INSERT INTO mask (image_id, structure, convention, provenance, file) "
        "VALUES (?, 'lungs', 'clear_field', 'manual', 'm.png')",
        (image_id,),
    )
    (record,) = select_images(fresh_db, "SELECT image_id, mask_id FROM mask", {})
    assert [mask.provenance for mask in record.masks] == ["manual"]


def test_a_film_states_its_spacing_between_rows_and_columns_or_none(fresh_db, make_film):
    fill(fresh_db, [make_film("a.png", "1", pixel_spacing_mm=(0.2, 0.1), pixel_spacing_origin="manifest"),
                    make_film("b.png", "2", pixel_spacing_mm=None)])  # fmt: skip
    records = select_images(fresh_db, query_text("segmentation_images"), DEFAULT)
    assert {record.file: record.spacing_mm for record in records} == {"a.png": (0.2, 0.1), "b.png": None}


def test_a_film_without_a_mask_can_be_selected(fresh_db, make_film):
    fill(fresh_db, [make_film("a.png", "1", convention=None)])
    (record,) = select_images(fresh_db, "SELECT image_id, NULL AS mask_id FROM image", {})
    assert record.masks == () and record.split is None


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT image_id FROM image", "also needs mask_id"),
        ("SELECT file FROM image", "also needs image_id, mask_id"),
        ("DELETE FROM image", "may only read"),
        ("INSERT INTO split VALUES ('a', 'b', 'train') RETURNING 1 AS image_id, 2 AS mask_id", "may only read"),
        ("ATTACH 'other.sqlite' AS other", "may only read"),
        ("PRAGMA user_version = 7", "may only read"),
        ("SELECT image_id, mask_id FROM picture", "no such table: picture"),
        ("SELECT 1; DELETE FROM image", "one statement at a time"),
        ("SELECT 4711 AS image_id, NULL AS mask_id", "4711"),
        ("SELECT NULL AS image_id, NULL AS mask_id", "no number of a film or mask"),
        ("SELECT image_id, file AS mask_id FROM image", "no number of a film or mask"),
        ("SELECT image_id, 4711 AS mask_id FROM image", "mask_id 4711 with image_id 1, .* no such mask"),
        ("SELECT image.image_id, mask_id FROM image, mask", "has no such mask; JOIN mask USING"),
        ("SELECT image_id, mask_id FROM mask UNION ALL SELECT abs(-9223372036854775807 - 1), 1", "integer overflow"),
    ],
)
def test_a_query_that_lacks_columns_or_writes_is_refused(fresh_db, make_film, sql, message):
    fill(fresh_db, [make_film("a.png", "1"), make_film("b.png", "2")])
    with pytest.raises(ValueError, match=message):
        select_images(fresh_db, sql, DEFAULT)
    assert fresh_db.execute("SELECT count(*) FROM image").fetchone()[0] == 2


def test_the_rows_of_a_film_may_stand_anywhere_and_films_come_in_the_order_of_their_first(
    fresh_db, make_film, monkeypatch
):
    monkeypatch.setattr("db.selection._CHUNK", 2)
    fill(fresh_db, [make_film(f"{number}.png", str(number)) for number in range(5)])
    fresh_db.execute(
        "INSERT INTO mask (image_id, structure, convention, provenance, file) "
        "SELECT image_id, 'heart', 'clear_field', 'manual', 'h.png' FROM image"
    )
    films = Selection(fresh_db, "SELECT image_id, mask_id FROM mask ORDER BY structure, image_id DESC", {})
    for _ in range(2):  # as often as wanted
        walked = [(film.image_id, sorted(mask.structure for mask in film.masks)) for film in films]
        assert walked == [(number, ["heart", "lungs"]) for number in (5, 4, 3, 2, 1)]
    assert len(films) == 5


def test_a_walk_lets_others_write_and_says_when_its_film_has_gone(fresh_db, make_film, monkeypatch):
    monkeypatch.setattr("db.selection._CHUNK", 1)
    fill(fresh_db, [make_film("a.png", "1"), make_film("b.png", "2")])
    walk = iter(Selection(fresh_db, "SELECT image_id, mask_id FROM mask", {}))
    assert next(walk).file == "a.png"
    fill(fresh_db, [make_film("a.png", "1")])
    with pytest.raises(ValueError, match="image_id 2, which is not in the image table"):
        next(walk)


def test_a_query_that_counts_films_twice_is_refused(fresh_db, make_film):
    fill(fresh_db, [make_film("a.png", "1"), make_film("b.png", "2", content="hash of a.png")])
    with pytest.raises(ValueError, match="selects films that are listed again \\(1\\).*image.duplicate_of IS NULL"):
        Selection(fresh_db, "SELECT image_id, NULL AS mask_id FROM image", {})
    assert len(Selection(fresh_db, "SELECT image_id, NULL AS mask_id FROM image WHERE duplicate_of IS NULL", {})) == 1


def test_mixed_conventions_are_refused(fresh_db, make_film):
    fill(fresh_db, [make_film("a.png", "1"), make_film("b.png", "2", convention="includes_heart")])
    with pytest.raises(ValueError, match="clear_field, includes_heart"):
        select_images(fresh_db, "SELECT image_id, mask_id FROM mask", DEFAULT)


def test_an_unknown_query_names_the_known_ones():
    with pytest.raises(FileNotFoundError, match="cohort_flow, .*segmentation_images"):
        query_text("films_of_mine")


@pytest.mark.parametrize("file", ["../secret.png", "/etc/secret.png", "a/../../secret.png"])
def test_a_database_whose_paths_lead_outside_the_sources_folder_is_refused(fresh_db, make_film, file):
    fill(fresh_db, [make_film("a.png"), make_film("sub/../b.png", "2")])
    assert len(select_images(fresh_db, query_text("segmentation_images"), DEFAULT)) == 2
    for table in ("image", "mask"):
        before = fresh_db.execute(f"SELECT file FROM {table} WHERE image_id = 1").fetchone()["file"]
        fresh_db.execute(f"UPDATE {table} SET file = ? WHERE image_id = 1", (file,))
        with pytest.raises(ValueError, match="leads outside the source's folder"):
            select_images(fresh_db, query_text("segmentation_images"), DEFAULT)
        fresh_db.execute(f"UPDATE {table} SET file = ? WHERE image_id = 1", (before,))


def test_sql_in_values_is_only_text(fresh_db, make_film):
    evil = "'; DROP TABLE image; --"
    fill(fresh_db, [make_film(f"{evil}.png", evil, note=evil)])
    (record,) = select_images(fresh_db, query_text("segmentation_images"), DEFAULT)
    assert record.file == f"{evil}.png" and record.patient_id == f"s:{evil}"
    assert run_query(fresh_db, "SELECT count(*) AS n FROM image WHERE note = :note", {"note": evil})[0]["n"] == 1


def test_a_query_without_end_is_stopped_before_it_fills_the_memory(fresh_db, monkeypatch):
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS image_id, NULL AS mask_id FROM n"
    )
    monkeypatch.setattr("db.selection.MOST_ROWS", 1000)
    assert len(run_query(fresh_db, endless + " LIMIT 1000", {})) == 1000
    for read in (run_query, select_images):
        with pytest.raises(ValueError, match="more than 1,000 rows"):
            read(fresh_db, endless, {})


def test_more_films_than_a_list_should_hold_can_only_be_walked(fresh_db, make_film, monkeypatch):
    monkeypatch.setattr("db.selection.MOST_ROWS", 1)
    fill(fresh_db, [make_film("a.png", "1"), make_film("b.png", "2")])
    sql = "SELECT image_id, mask_id FROM mask"
    assert [film.file for film in Selection(fresh_db, sql, {})] == ["a.png", "b.png"]
    with pytest.raises(ValueError, match="2 films, more than the 1 that are held at once"):
        select_images(fresh_db, sql, {})


def test_the_database_and_the_network_name_the_same_structures_in_the_same_order():
    assert (
        (*STRUCTURES, "lungs") == MASK_STRUCTURES and STRUCTURES[HEART] == "heart" and MASK_STRUCTURES[LUNGS] == "lungs"
    )


def test_the_example_of_choosing_by_age_and_ratio_takes_no_mask_of_a_model_and_no_value_that_cannot_be(
    fresh_db, make_film
):
    def stated(file, age=60, ratio=0.55, **facts):
        values = (SourceMeasurement(name="cardiothoracic_ratio", value=ratio, unit="ratio"),)
        return make_film(file, file, patient_age_years=age, measurements=values, **facts)

    films = [stated("good.png"), stated("old.png", age=140), stated("young.png", age=39), stated("slim.png", ratio=0.5),
             stated("percent.png", ratio=55.0), stated("model.png", provenance="model"),
             stated("side.png", view_position="LL")]  # fmt: skip
    write_source(fresh_db, "own", "/", "manifest", films, rows_read=len(films))
    write_source(fresh_db, "other", "/", "manifest", [stated("other.png")], rows_read=1)
    parameters = {"convention": "clear_field", "provenance": "manual", "source": "own"}
    found = select_images(fresh_db, query_text("adults_with_large_hearts"), parameters)
    assert [film.file for film in found] == ["good.png"]


@pytest.mark.parametrize(
    ("sql", "used"),
    [
        ("SELECT 1 WHERE 's' = :source", True),
        ("SELECT 1 /* one */ WHERE 's' = :source -- two", True),
        ("SELECT 1 -- :source", False),
        ("SELECT 1 /* of\n :source */", False),
        ("SELECT 1 WHERE 's' = :source_id", False),
    ],
)
def test_a_parameter_is_used_where_the_query_itself_names_it(fresh_db, make_film, sql, used):
    fill(fresh_db, [make_film("a.png", "1")])
    with nullcontext() if used else pytest.raises(ValueError, match="the query does not use :source"):
        check_asked(fresh_db, sql, {"source": ["s"]})
