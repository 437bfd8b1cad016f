"""Rows of predictions: what one run holds, what replaces what, and where measurements go."""

import json
import os

import pytest

from db.ingest_rows import write_source
from db.predictions import (
    count_predictions,
    films_done,
    forget_prediction,
    measurement_columns,
    move_prediction,
    names_given,
    open_prediction_run,
    read_predictions,
    write_prediction,
)
from db.runs import closing_run, find_run

WIDTH, RATIO = ("heart_width_mm", 120.0, "mm", 1.5), ("cardiothoracic_ratio", 0.5, "ratio", None)


def values(file, **changes):
    return {"file": file, "name": file[:1], "input_sha256": f"hash of {file}", "network": "n", "height": 9, "width": 8,
            "review": "", "remarks": "", "predicted_dice": 0.9, **changes}  # fmt: skip


@pytest.fixture
def run(fresh_db, tmp_path):
    return open_prediction_run(fresh_db, tmp_path, "n", {"out": "x"})


def measured(db):
    return [tuple(row) for row in db.execute("SELECT image_id, run_id, name, value, unit, spread FROM measurement")]


def test_a_call_of_the_same_network_goes_on_and_one_of_another_begins_anew(fresh_db, run, tmp_path):
    with closing_run(fresh_db, run):
        write_prediction(fresh_db, run, values("a.png"), [WIDTH])
    assert find_run(fresh_db, "predict", tmp_path)["status"] == "finished"
    assert open_prediction_run(fresh_db, tmp_path, "n", {"format": ["coco"]}) == run
    assert json.loads(find_run(fresh_db, "predict", tmp_path)["config"]) == {"format": ["coco"], "network": "n"}
    assert find_run(fresh_db, "predict", tmp_path)["status"] == "running"
    other = open_prediction_run(fresh_db, tmp_path, "other", {})
    assert other != run and films_done(fresh_db, other) == {}
    write_prediction(fresh_db, other, values("b.png", name="b-1"), [])
    assert films_done(fresh_db, run)["a.png"] == ("a", "hash of a.png", None) and set(films_done(fresh_db, run)) == {
        "a.png"
    }
    assert names_given(fresh_db, tmp_path) == {"a.png": "a", "b.png": "b-1"}
    assert names_given(fresh_db, tmp_path / "elsewhere") == {}


def test_a_film_done_again_replaces_its_row_and_its_measurements(fresh_db, run):
    write_prediction(fresh_db, run, values("a.png"), [WIDTH, RATIO])
    write_prediction(fresh_db, run, values("a.png", predicted_dice=0.8), [RATIO])
    (row,) = read_predictions(fresh_db, run)
    assert row["predicted_dice"] == 0.8 and row["cardiothoracic_ratio"] == 0.5 and "heart_width_mm" not in row
    assert fresh_db.execute("SELECT count(*) FROM prediction_measurement").fetchone()[0] == 1


def test_measurements_of_a_film_that_the_database_has_are_among_its_own(fresh_db, run, make_film):
    write_source(fresh_db, "s", "/", "manifest", [make_film("a.png", "1"), make_film("other.png", "2")])
    (image,) = fresh_db.execute("SELECT image_id FROM image WHERE file = 'a.png'").fetchone()
    for width in (119.0, 120.0):
        write_prediction(
            fresh_db, run, values("/films/copy.png", input_sha256="hash of a.png"), [("w", width, "mm", 2.0)]
        )
        write_prediction(fresh_db, run, values("unknown.png"), [("w", 5.0, "mm", None)])
    assert measured(fresh_db) == [(image, run, "w", 120.0, "mm", 2.0)]
    forget_prediction(fresh_db, run, "/films/copy.png")
    assert measured(fresh_db) == [] and set(films_done(fresh_db, run)) == {"unknown.png"}


def test_measurements_of_a_film_last_as_long_as_some_file_of_the_run_holds_it(fresh_db, run, make_film):
    write_source(fresh_db, "s", "/", "manifest", [make_film("a.png", "1"), make_film("b.png", "2")])
    a, b = (row[0] for row in fresh_db.execute("SELECT image_id FROM image ORDER BY file"))
    for file in ("x.png", "y.png"):
        write_prediction(fresh_db, run, values(file, name=file, input_sha256="hash of a.png"), [WIDTH])
    forget_prediction(fresh_db, run, "y.png")
    assert measured(fresh_db) == [(a, run, *WIDTH)], "x.png is a prediction of that film still"
    write_prediction(fresh_db, run, values("x.png", input_sha256="hash of b.png"), [RATIO])
    assert measured(fresh_db) == [(b, run, *RATIO)]
    forget_prediction(fresh_db, run, "x.png")
    assert measured(fresh_db) == []


def test_rows_come_as_they_were_done_or_those_to_review_first(fresh_db, run):
    for file, review, dice, rows in (
        ("a.png", "", 0.7, [RATIO]), ("b.png", "no left lung", 0.9, [WIDTH]), ("c.png", "small", 0.6, [WIDTH, RATIO]),
        ("d.png", "", 0.95, []),
    ):  # fmt: skip
        write_prediction(fresh_db, run, values(file, review=review, predicted_dice=dice), rows)
    assert [row["file"] for row in read_predictions(fresh_db, run)] == ["a.png", "b.png", "c.png", "d.png"]
    assert [row["file"] for row in read_predictions(fresh_db, run, 3)] == ["c.png", "b.png", "a.png"]
    assert count_predictions(fresh_db, run) == {"films": 4, "review": 2}
    columns = measurement_columns(fresh_db, run)
    assert columns == ["cardiothoracic_ratio", "heart_width_mm", "heart_width_mm_spread"]
    third = list(read_predictions(fresh_db, run))[2]
    assert [third[column] for column in columns] == [0.5, 120.0, 1.5]


def test_the_latest_name_of_a_film_in_a_folder_holds_however_the_folder_is_written(fresh_db, tmp_path, monkeypatch):
    for network, name in (("n", "old"), ("other", "new")):
        write_prediction(fresh_db, open_prediction_run(fresh_db, tmp_path, network, {}), values("a.png", name=name), [])
    assert names_given(fresh_db, tmp_path) == {"a.png": "new"}
    monkeypatch.chdir(tmp_path)
    assert names_given(fresh_db, os.curdir) == {"a.png": "new"}


def test_only_the_runs_own_film_is_moved(fresh_db, tmp_path):
    runs = [open_prediction_run(fresh_db, tmp_path, network, {}) for network in ("n", "other")]
    for run in runs:
        write_prediction(fresh_db, run, values("a.png"), [])
    move_prediction(fresh_db, runs[0], "a.png", "b.png")
    assert [set(films_done(fresh_db, run)) for run in runs] == [{"b.png"}, {"a.png"}]


def test_columns_keep_the_order_of_first_appearance(fresh_db, tmp_path):
    run = open_prediction_run(fresh_db, tmp_path, "n", {})
    write_prediction(fresh_db, run, values("a.png"), [WIDTH, RATIO])
    assert measurement_columns(fresh_db, run) == ["heart_width_mm", "heart_width_mm_spread", "cardiothoracic_ratio"]
