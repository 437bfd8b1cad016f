"""docs/results-files.md names every column and key that the commands write, and none that they do not."""

import csv
import json
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import analyze
import evaluate
import predict
from data.measurements import measure_masks
from db.predictions import COLUMNS
from db.records import MASK_STRUCTURES, STRUCTURES
from db.scores import METRIC_COLUMNS
from pipeline.evaluation import write_masks
from pipeline.formats import FORMATS as MASK_FORMATS
from pipeline.results import FILM_COLUMNS, SCORE_COLUMNS
from pipeline.train_settings import TrainConfig
from report.film_comparison import COLUMNS as COMPARISON_COLUMNS

PAGE = (Path(__file__).parent.parent.parent / "docs/results-files.md").read_text(encoding="utf-8")
KINDS = {"none", "true", "pred", "both"}  # of empty masks; each is a key only where a film has it


def section(title, level="## "):
    """The text under a heading, up to the next one of its level."""
    return next(part for part in re.split(f"^{level}", PAGE, flags=re.MULTILINE) if part.startswith(title))


def named(text):
    """The names in the first cells of the tables in a text, in order."""
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def head(path):
    with open(path, newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def keys_in(value):
    """Every key of nested dicts and lists."""
    if isinstance(value, list):
        return set().union(*map(keys_in, value))
    return set(value).union(*map(keys_in, value.values())) if isinstance(value, dict) else set()


@pytest.fixture(scope="module")
def summaries(trained, evaluated, phantom_db, tmp_path_factory):
    """Of an evaluation of all films, and of one that is held against it and that lacks a film."""
    out = tmp_path_factory.mktemp("against") / "out"
    with open(trained / "split.csv", newline="") as file:
        lost = next(row["file"] for row in csv.DictReader(file) if row["split"] == "test")
    film = phantom_db.parent / "phantom_films" / lost
    hidden = film.rename(out.parent / "hidden.jpg")
    try:
        words = ["--checkpoint", str(trained), "--out", str(out), "--against", str(evaluated), "--precision", "float32"]
        assert evaluate.main(words) == 1
    finally:
        hidden.rename(film)
    return [json.loads((folder / "summary.json").read_text()) for folder in (evaluated, out)]


def test_the_tables_of_an_evaluation(evaluated):
    assert named(section("`evaluate.py`: films.csv")) == list(FILM_COLUMNS) == head(evaluated / "films.csv")
    assert named(section("`evaluate.py`: scores.csv"))[: len(SCORE_COLUMNS)] == head(evaluated / "scores.csv")
    assert set(named(section("`evaluate.py`: scores.csv"))) == set(SCORE_COLUMNS)


def test_the_keys_at_the_head_of_a_summary(summaries):
    text = section("`evaluate.py`: summary.json")
    assert set(named(text[: text.index("### ")])) == set(summaries[0]) == set(summaries[1])
    assert set(summaries[0]["settings"]) == {field.name for field in fields(evaluate.EvaluateConfig)}


@pytest.mark.parametrize(
    ("title", "keys"),
    [
        ("One film of `failed`", ["failed"]),
        ("One metric of `structures`", ["structures", "by_source"]),
        ("One row of `groups`", ["groups"]),
        ("One structure of `calibration`", ["calibration"]),
        ("One structure of `thresholds`", ["thresholds"]),
        ("One structure of `predicted_quality`", ["predicted_quality"]),
        ("`cardiothoracic_ratio`", ["cardiothoracic_ratio"]),
        ("One structure of `against`", ["against"]),
    ],
)
def test_the_keys_inside_a_summary(summaries, title, keys):
    written = keys_in([summary[key] for summary in summaries for key in keys])
    names_of_data = {*MASK_STRUCTURES, "phantom", *KINDS}
    if "structures" in keys:
        names_of_data |= {*METRIC_COLUMNS}
    text = section("`evaluate.py`: summary.json")
    own = next(part for part in text.split("### ") if part.startswith(title))
    assert set(named(own)) == written - names_of_data


def test_the_tables_of_a_prediction(network, tmp_path):
    (tmp_path / "films").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30)).astype(np.uint8)).save(tmp_path / "films/a.png")
    (tmp_path / "films/broken.png").write_bytes(b"")
    words = ["--checkpoint", str(network), "--out", str(tmp_path), "--test-time-views", "--device", "cpu"]
    assert predict.main([str(tmp_path / "films"), *words]) == 1
    assert named(section("`predict.py`: failures.csv")) == head(tmp_path / "failures.csv")
    documented = named(section("`predict.py`: predictions.csv"))
    columns = head(tmp_path / "predictions.csv")
    fixed = documented[: len(COLUMNS) + 3]
    assert fixed == columns[: len(COLUMNS) + 3] and documented[len(fixed) :] == ["MEASUREMENT", "MEASUREMENT_spread"]
    masks = {name: np.zeros((60, 60), bool) for name in ("right_lung", "left_lung", "heart")}
    masks["right_lung"][10:50, 5:25], masks["left_lung"][10:50, 35:55], masks["heart"][30:50, 20:45] = True, True, True
    possible = {one.name for one in measure_masks(masks, None)}
    assert len(possible) > 15 and {name.removesuffix("_spread") for name in columns[len(fixed) :]} <= possible


def test_a_comparison_of_two_films():
    assert sorted(named(section("`predict.py --compare`"))) == sorted(COMPARISON_COLUMNS)


def test_masks_in_other_formats(tmp_path):
    write_masks(tmp_path / "masks", "a", {name: np.eye(4, dtype=bool) for name in STRUCTURES})
    row = {"file": "a.png", "name": "a", "height": 4, "width": 4, "network": "0123"}
    assert MASK_FORMATS["rle"](tmp_path, [row]).failed == [] == MASK_FORMATS["coco"](tmp_path, [row]).failed
    assert named(section("`predict.py --format rle`")) == head(tmp_path / "rle.csv")
    text, coco = section("`predict.py --format coco`"), json.loads((tmp_path / "coco.json").read_text())
    assert set(named(text)) == {*coco, "segmentation"}
    assert keys_in(coco) == set(re.findall(r"`([a-z_]+)`", text)) - {"coco", "file"}


def test_the_rows_to_look_at(phantom_db, tmp_path):
    words = ["--db", str(phantom_db), "--out", str(tmp_path), "--show-ids", "--format", "json"]
    assert analyze.main(words) == 0
    assert named(section("`analyze.py`: rows_to_look_at.csv")) == head(tmp_path / "rows_to_look_at.csv")


def test_the_files_of_a_training(trained):
    assert named(section("`train.py`: metrics.csv")) == head(trained / "metrics.csv")
    assert named(section("`train.py`: split.csv")) == head(trained / "split.csv")
    config = json.loads((trained / "config.json").read_text())
    assert set(config["settings"]) == {field.name for field in fields(TrainConfig)}
    assert set(named(section("`train.py`: config.json"))) == {"settings"} | keys_in({"facts": config["facts"]})
