"""Scores by group, on films whose means and gaps are worked by hand."""

import math

import pytest

from db.ingest_rows import write_source
from db.runs import start_run
from db.scores import write_scores
from pipeline.groups import score_groups

FACTS = (
    # file, patient, sex, age, findings, dice
    ("a.png", "p1", "F", 30.0, ("effusion",), 0.9),
    ("b.png", "p1", "F", 31.0, ("effusion", "mass"), 0.8),
    ("c.png", "p2", "F", 64.9, (), 0.7),
    ("d.png", "p3", "M", 65.0, ("mass",), 1.0),
    ("e.png", "p4", "M", 17.0, (), 0.6),
    ("f.png", "p5", None, None, (), 0.1),
)


@pytest.fixture
def groups(fresh_db, make_film, tmp_path):
    films = [
        make_film(file, patient, patient_sex=sex, patient_age_years=age, findings=findings)
        for file, patient, sex, age, findings, _ in FACTS
    ]
    write_source(fresh_db, "s", "/", "manifest", films)
    run_id = start_run(fresh_db, "evaluate", tmp_path, {})
    images = dict(fresh_db.execute("SELECT file, image_id FROM image").fetchall())
    rows = [
        {"image_id": images[file], "structure": "lungs", "split": "test", "empty": "none", "dice": dice, "iou": 0.5}
        for file, *_, dice in FACTS
    ]
    write_scores(fresh_db, run_id, rows)
    other = start_run(fresh_db, "evaluate", tmp_path / "other", {})
    write_scores(fresh_db, other, [{**row, "dice": 0.0} for row in rows])
    return {(row["grouping"], row["level"]): row for row in score_groups(fresh_db, run_id)}


def test_counts_and_means_of_each_group(groups):
    women = groups["sex", "F"]
    assert (women["films"], women["patients"]) == (3, 2) and women["mean"] == pytest.approx(0.8)
    assert women["worst"] == pytest.approx(0.7) and women["below"] == pytest.approx(2 / 3)
    assert math.isnan(women["low"]) and math.isnan(women["high"]) and women["few"]
    assert sorted(level for grouping, level in groups if grouping == "age") == [
        "18 to 39", "40 to 64", "65 and over", "not stated", "under 18",
    ]  # fmt: skip
    assert groups["view", "PA"]["films"] == groups["source", "s"]["films"] == 6


def test_the_gap_is_to_all_others_whose_group_is_stated(groups):
    assert groups["sex", "F"]["gap"] == pytest.approx(0.8 - 0.8) and groups["sex", "M"]["gap"] == pytest.approx(0.0)
    assert groups["age", "under 18"]["gap"] == pytest.approx(0.6 - (0.9 + 0.8 + 0.7 + 1.0) / 4)
    assert math.isnan(groups["age", "under 18"]["gap_low"])  # one patient
    assert math.isnan(groups["sex", "not stated"]["gap"]) and math.isnan(groups["source", "s"]["gap"])


def test_a_film_of_several_findings_is_in_each_but_not_among_its_own_others(groups):
    assert groups["finding", "effusion"]["films"] == groups["finding", "mass"]["films"] == 2
    assert groups["finding", "effusion"]["gap"] == pytest.approx(0.85 - 1.0)
    assert groups["finding", "not stated"]["films"] == 3


@pytest.mark.parametrize("men, few", [(10, False), (9, True)])
def test_groups_of_fewer_than_ten_patients_on_either_side_are_few(fresh_db, make_film, tmp_path, men, few):
    sexes = ["F"] * 12 + ["M"] * men + [None] * 12
    films = [make_film(f"{n}-{k}.png", f"p{n}", patient_sex=sex) for n, sex in enumerate(sexes) for k in range(2)]
    write_source(fresh_db, "s", "/", "manifest", films)
    run_id = start_run(fresh_db, "evaluate", tmp_path, {})
    images = fresh_db.execute("SELECT file, image_id FROM image").fetchall()
    dice = {file: 0.9 - 0.2 * (int(file.split("-")[0]) % 2) for file, _ in images}
    rows = [
        {"image_id": image, "structure": "lungs", "split": "test", "empty": "none", "dice": dice[file], "iou": 0.5}
        for file, image in images
    ]
    write_scores(fresh_db, run_id, rows)
    groups = {(row["grouping"], row["level"]): row for row in score_groups(fresh_db, run_id)}
    assert groups["sex", "F"]["few"] is groups["sex", "M"]["few"] is few
    assert groups["source", "s"]["few"] is groups["sex", "not stated"]["few"] is False  # compared with no others
    # twelve women with two equal films each: the interval is that of twelve values
    deviation = 0.1 / 12**0.5
    assert groups["sex", "F"]["high"] - groups["sex", "F"]["low"] == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    gap = groups["sex", "F"]
    both = deviation * (1 + 12 / men) ** 0.5
    if few:
        assert math.isnan(gap["gap_low"]) and math.isnan(groups["sex", "M"]["low"])
        return
    assert gap["gap_high"] - gap["gap_low"] == pytest.approx(2 * 1.96 * both, rel=0.15)


def test_a_finding_is_compared_within_the_sources_that_state_it(fresh_db, make_film, tmp_path):
    """Source s has masses and normal films, source t nodules only, and lower scores."""
    for name, findings in (("s", ["mass", "mass", "normal"]), ("t", ["nodule", "nodule"])):
        write_source(fresh_db, name, f"/{name}", "manifest",
                     [make_film(f"{name}{n}.png", f"{name}{n}", findings=(f,)) for n, f in enumerate(findings)])  # fmt: skip
    run_id = start_run(fresh_db, "evaluate", tmp_path, {})
    images = fresh_db.execute("SELECT file, image_id FROM image").fetchall()
    rows = [
        {
            "image_id": image,
            "structure": "lungs",
            "split": "test",
            "empty": "none",
            "dice": 0.9 if "s" in file else 0.5,
            "iou": 0.5,
        }
        for file, image in images
    ]
    write_scores(fresh_db, run_id, rows)
    groups = {(row["grouping"], row["level"]): row for row in score_groups(fresh_db, run_id)}
    assert groups["finding", "mass"]["gap"] == pytest.approx(0) and math.isnan(groups["finding", "nodule"]["gap"])
    assert groups["source", "s"]["gap"] == pytest.approx(0.4)
