"""What evaluate.py says beside the scores: predicted quality, groups, probabilities, films without truth; and what it refuses."""

import csv
import json
import pickle
import zipfile

import pytest
import torch

import analyze
import evaluate
from db.connection import connect
from unet.checkpoint import load_checkpoint


def read_csv(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def read_summary(folder):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads((folder / "summary.json").read_text(), parse_constant=refuse)


@pytest.fixture
def undrawn_db(phantom_db, tmp_path, copy_of):
    """A copy of the films' database in which nobody has drawn five of them."""
    db = copy_of(phantom_db, tmp_path / "undrawn.sqlite")
    connect(db).execute("DELETE FROM mask WHERE image_id IN (SELECT image_id FROM image ORDER BY image_id LIMIT 5)")
    return db


def test_predicted_quality_is_the_same_in_every_file_and_the_database(evaluated, phantom_db):
    scores, films = read_csv(evaluated / "scores.csv"), read_csv(evaluated / "films.csv")
    stored = connect(phantom_db).execute(
        "SELECT image_id, structure, predicted_dice, doubtful FROM predicted_quality JOIN run USING (run_id) WHERE folder = ?",
        (str(evaluated),),
    )
    stored = {(row["image_id"], row["structure"]): (row["predicted_dice"], row["doubtful"]) for row in stored}
    assert len(stored) == len(scores) and all(0 <= dice <= 1 for dice, _ in stored.values())
    by_film = {row["image_id"]: row for row in films}
    for row in scores:
        key = (int(row["image_id"]), row["structure"])
        assert (float(row["predicted_dice"]), int(row["doubtful"])) == pytest.approx(stored[key])
        film = by_film[row["image_id"]]
        assert film[f"predicted_dice_{row['structure']}"] == row["predicted_dice"]
        assert (row["structure"] in film["doubtful"].split()) == (row["doubtful"] == "1")
    part = read_summary(evaluated)["predicted_quality"]["lungs"]
    assert part["judged"] == part["films"] == len(films)
    assert part["doubtful"] == sum("lungs" in row["doubtful"].split() for row in films)


def test_groups_are_those_of_sql_and_carry_their_gaps(evaluated, phantom_db):
    groups = read_summary(evaluated)["groups"]
    direct = connect(phantom_db).execute(
        "SELECT patient_sex, count(*) AS films, avg(dice) AS mean FROM score JOIN run USING (run_id) JOIN image USING (image_id) "
        "JOIN study USING (study_id) JOIN patient USING (patient_id) WHERE folder = ? AND structure = 'heart' GROUP BY 1",
        (str(evaluated),),
    )
    ours = {row["level"]: row for row in groups if (row["grouping"], row["structure"]) == ("sex", "heart")}
    for row in direct:
        part = ours[row["patient_sex"] or "not stated"]
        assert (part["films"], part["mean"]) == (row["films"], pytest.approx(row["mean"]))
    stated = [row for level, row in ours.items() if level != "not stated"]
    if len(stated) == 2:
        assert (
            stated[0]["gap"] == pytest.approx(-stated[1]["gap"]) == pytest.approx(stated[0]["mean"] - stated[1]["mean"])
        )
        known = min(part["patients"] for part in stated) >= 10
        assert (
            stated[0]["gap_low"] <= stated[0]["gap"] <= stated[0]["gap_high"] if known else stated[0]["gap_low"] is None
        )
    assert "dices" not in groups[0] and {row["grouping"] for row in groups} >= {"sex", "age", "view", "source"}


def test_probabilities_and_thresholds_are_judged_near_and_far(evaluated, trained):
    summary = read_summary(evaluated)
    checkpoint = load_checkpoint(trained / "best.pt")
    for structure, places in summary["calibration"].items():
        pixels = {place: part["before"]["pixels"] for place, part in places.items()}
        assert pixels["near"] + pixels["far"] == 64 * 64 * summary["structures"][structure]["dice"]["films"]
        for part in places.values():
            assert 0 <= part["after"]["ece"] <= part["after"]["mce"] <= 1 and part["after"]["nll"] > 0
    assert summary["thresholds"]["heart"]["used"] == [checkpoint.threshold["heart"]]
    assert summary["thresholds"]["heart"]["on_validation"][0]["threshold"] == checkpoint.threshold["heart"]


def test_the_heart_ratio_is_compared_by_bland_and_altman(evaluated):
    films = [
        row
        for row in read_csv(evaluated / "films.csv")
        if row["cardiothoracic_ratio_true"] and row["cardiothoracic_ratio_pred"]
    ]
    errors = [float(row["cardiothoracic_ratio_pred"]) - float(row["cardiothoracic_ratio_true"]) for row in films]
    part = read_summary(evaluated)["cardiothoracic_ratio"]
    assert part["films"] == len(errors) and part["bias"]["value"] == pytest.approx(sum(errors) / len(errors))


def test_the_report_has_its_chapters(evaluated):
    text = (evaluated / "report.md").read_text()
    for words in (
        "Worst, median and best", "Confident failures", "Predicted quality", "By group", "Dice by sex.", "scores_by_group.sql",
        "Cardiothoracic ratio", "What the probabilities are worth", "The threshold", "empty masks", "How it was trained",
    ):  # fmt: skip
        assert words in text, words


def test_films_without_truth_get_masks_and_predicted_quality_only(trained, undrawn_db, tmp_path, capsys):
    out = tmp_path / "out"
    argv = [
        "--checkpoint",
        str(trained),
        "--db",
        str(undrawn_db),
        "--query",
        "undrawn_images",
        "--split",
        "all",
        "--out",
        str(out),
    ]
    assert evaluate.main([*argv, "--save-masks", "--precision", "float32"]) == 0
    assert "No film of this selection has a reference mask" in capsys.readouterr().out
    films = read_csv(out / "films.csv")
    assert len(films) >= 5 and all(0 <= float(row["predicted_dice_lungs"]) <= 1 for row in films)
    assert read_csv(out / "scores.csv") == [] and len(list((out / "masks/lungs").iterdir())) == len(films)
    summary = read_summary(out)
    assert summary["without_truth"] == summary["predicted_quality"]["lungs"]["films"] == len(films)
    assert summary["structures"] == {}
    text = (out / "report.md").read_text()
    assert "None of these films has a reference mask" in text and "Lowest predicted quality" in text
    assert analyze.main(["--run", str(out), "--out", str(tmp_path / "analysis"), "--format", "md"]) == 0
    assert "has a reference mask, so nothing says how good" in (tmp_path / "analysis/report.md").read_text()


def test_uncertainty_maps_show_where_the_views_disagree(trained, tmp_path):
    out = tmp_path / "maps"
    assert (
        evaluate.main(["--checkpoint", str(trained), "--out", str(out), "--uncertainty-maps", "--precision", "float32"])
        == 0
    )
    films = read_csv(out / "films.csv")
    assert films and all(0 <= float(row["disagreement"]) <= 1 for row in films)
    assert "Where the network is unsure" in (out / "report.md").read_text()
    assert len(list((out / "report_files").glob("unsure-*.jpg"))) == min(12, len(films))


class Boom:
    def __reduce__(self):
        return (open, ("hacked.txt", "w"))


def test_a_hostile_checkpoint_is_refused_and_nothing_of_it_runs(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": "lung-segmentation checkpoint 1", "weights": Boom()}, "code.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Boom()))
    (tmp_path / "cut.pt").write_bytes((trained / "best.pt").read_bytes()[:20_000])
    with zipfile.ZipFile("zip.pt", "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Boom()))
    for name in ("code.pt", "plain.pt", "cut.pt", "zip.pt"):
        with pytest.raises(ValueError, match=rf"checkpoint {name}: .*(damaged|code)"):
            evaluate.main(["--checkpoint", name])
    assert not (tmp_path / "hacked.txt").exists()
