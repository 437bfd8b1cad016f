"""What can be said of films without clear-field masks: counted on embedded films, whose masks stand in for those of others."""

import re
import shutil

import numpy as np
import pytest

from benchmarks import bedside
from db.connection import connect
from pipeline.predictor import Predictor
from pipeline.trained_on import patients_trained_on
from unet.checkpoint import load_checkpoint, save_checkpoint
from unet.quality import Quality


def test_films_are_counted_compared_and_the_worst_drawn(phantom_db, network, tmp_path, monkeypatch, capsys):
    kind = {"convention": "clear_field", "provenance": "phantom", "source": "phantom"}
    monkeypatch.setattr(bedside, "SOURCE", "phantom")
    monkeypatch.setattr(bedside, "OTHER_MASKS", {bedside.BY_HAND: kind, "lungs": kind})
    monkeypatch.setattr(bedside, "WORST", 3)
    expected = iter([0.9, 0.2, 0.8, 0.4, *[0.95] * 100])
    monkeypatch.setattr(Predictor, "quality", lambda self, logits: {"lungs": Quality(next(expected), False, 0.9)})
    (tmp_path / "run").mkdir()
    shutil.copy(network, tmp_path / "run/best.pt")
    (tmp_path / "run/split.csv").write_text("source,image_id,file,patient_id,split\n")
    bedside.main(tmp_path / "run", phantom_db, tmp_path / "worst")
    first, heart, lungs, outside, missed, *worst = capsys.readouterr().out.splitlines()
    films = int(first.split()[0])
    frontal = connect(phantom_db).execute(bedside.FRONTAL, {"source": "phantom"}).fetchall()
    assert re.search(r"on the right sides: \d+ \(\d", first) and films == len(frontal) > 30
    assert heart.startswith("lungs and heart, by hand: ") and lungs.startswith("lungs: ") and " below 0.85 " in lungs
    assert re.fullmatch(r"share of the lungs outside .*: mean 0\.\d+, 95th percentile [01]\.\d+", outside)
    assert re.fullmatch(r"share missed of the lateral halves .*: mean 0\.\d+, 95th percentile [01]\.\d+", missed)
    assert [line.split()[:3] for line in worst] == [
        ["01.jpg", "predicted", "0.200"], ["02.jpg", "predicted", "0.400"], ["03.jpg", "predicted", "0.800"],
    ]  # fmt: skip
    assert sorted(file.name for file in (tmp_path / "worst").iterdir()) == ["01.jpg", "02.jpg", "03.jpg"]


def two_folds(folder, network, patients):
    """Write two trainings: one tested every second patient, the other the second and fourth; the last patient chose both."""
    tested = (patients[:-1:2], patients[1:4:2])
    for fold, test in enumerate(tested, start=1):
        own = folder / f"fold{fold}"
        own.mkdir()
        shutil.copy(network, own / "best.pt")
        split = {name: "test" if name in test else "train" for name in patients} | {patients[-1]: "val"}
        rows = (f"phantom,1,a.png,{name},{part}\n" for name, part in split.items())
        (own / "split.csv").write_text("source,image_id,file,patient_id,split\n" + "".join(rows))
    return tested


def test_films_of_patients_a_network_was_trained_on_are_left_to_another(phantom_db, network, tmp_path, monkeypatch):
    kind = {"convention": "clear_field", "provenance": "manual", "source": "phantom"}  # there are none
    monkeypatch.setattr(bedside, "SOURCE", "phantom")
    monkeypatch.setattr(bedside, "OTHER_MASKS", {bedside.BY_HAND: kind, "lungs": kind})
    films = connect(phantom_db).execute("SELECT DISTINCT patient_id FROM image JOIN study USING (study_id)")
    tested = two_folds(tmp_path, network, sorted(row[0] for row in films))
    networks = [(Predictor(path), patients_trained_on(path)) for path in sorted(tmp_path.glob("*/best.pt"))]
    seen = list(bedside.look(networks, phantom_db))
    for (predictor, _), patients in zip(networks, tested, strict=True):
        assert {row.film.patient_id for row in seen if row.predictor is predictor} == set(patients)


def test_patients_of_the_training_before_a_fine_tuning_count_too_and_a_lone_file_says_nothing(network, tmp_path):
    two_folds(tmp_path, network, ["a", "b", "c", "d", "e"])
    first, tuned = tmp_path / "fold1/best.pt", tmp_path / "fold2/best.pt"
    assert patients_trained_on(first) == {"b", "d", "e"}
    with open(first.parent / "split.csv", "a") as file:
        file.write("phantom,1,a.png,unused,\n")  # as --train-films leaves those that it does not take
    assert patients_trained_on(first) == {"b", "d", "e"}
    checkpoint = load_checkpoint(tuned)
    checkpoint.training["init"] = str(first)
    with open(tuned, "wb") as file:
        save_checkpoint(file, checkpoint)
    assert patients_trained_on(tuned) == {"a", "c", "e"} | {"b", "d", "e"}
    with pytest.raises(FileNotFoundError, match="nothing says which patients"):
        patients_trained_on(network)


def test_a_training_before_that_has_gone_or_came_after_does_not_hide_what_is_known(network, tmp_path):
    two_folds(tmp_path, network, ["a", "b", "c", "d", "e"])
    first, tuned = tmp_path / "fold1/best.pt", tmp_path / "fold2/best.pt"
    for path, before in ((first, tuned), (tuned, first)):  # the first was trained anew, from what had started from it
        checkpoint = load_checkpoint(path)
        checkpoint.training["init"] = str(before)
        with open(path, "wb") as file:
            save_checkpoint(file, checkpoint)
    assert patients_trained_on(first) == patients_trained_on(tuned) == {"a", "b", "c", "d", "e"}
    (tmp_path / "fold1/split.csv").unlink()
    assert patients_trained_on(tuned, as_far_as_known=True) == {"a", "c", "e"}
    with pytest.raises(FileNotFoundError, match="nothing says which patients"):
        patients_trained_on(tuned)


def test_the_share_outside_is_of_the_lungs():
    lungs, drawn = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    assert bedside.share_outside(lungs, drawn) is None
    lungs[1:3, :4] = True
    drawn[2] = False
    assert bedside.share_outside(lungs, drawn) == 0.5


def test_the_share_missed_is_of_the_lateral_halves_and_a_heart_explains_the_left_one_alone():
    masks = {name: np.zeros((2, 10), bool) for name in ("right_lung", "left_lung", "heart")}
    drawn = {name: np.zeros((2, 10), bool) for name in ("right_lung", "left_lung")}
    assert bedside.share_missed(masks, drawn) is None
    assert bedside.share_missed(masks, {"lungs": np.ones((2, 10), bool)}) is None
    drawn["right_lung"][:, 0:4], drawn["left_lung"][:, 6:10] = True, True
    assert bedside.share_missed(masks, drawn) == 1
    masks["right_lung"][:, 0:1] = True  # half of the right lateral half
    assert bedside.share_missed(masks, drawn) == 6 / 8
    masks["heart"][:, 1:9] = True  # covers the other half of it, where no heart can be, and half of the left one
    assert bedside.share_missed(masks, drawn) == 4 / 8
