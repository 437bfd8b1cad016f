"""What can be said of films without clear-field masks: counted on embedded films, whose masks stand in for those of others."""

import re
import shutil

from benchmarks import bedside
from db.connection import connect
from pipeline.predictor import Predictor
from unet.quality import Quality


def test_films_are_counted_compared_and_the_worst_drawn(phantom_db, network, tmp_path, monkeypatch, capsys):
    kind = {"convention": "clear_field", "provenance": "phantom", "source": "phantom"}
    monkeypatch.setattr(bedside, "SOURCE", "phantom")
    monkeypatch.setattr(bedside, "OTHER_MASKS", {bedside.BY_HAND: kind, "lungs": kind})
    monkeypatch.setattr(bedside, "WORST", 3)
    expected = iter([0.9, 0.2, 0.8, 0.4, *[0.95] * 100])
    monkeypatch.setattr(Predictor, "quality", lambda self, logits: {"lungs": Quality(next(expected), False)})
    bedside.main(network, phantom_db, tmp_path / "worst")
    first, heart, lungs, outside, *worst = capsys.readouterr().out.splitlines()
    films = int(first.split()[0])
    assert re.search(r"on the right sides: \d+ \(\d", first) and films == 39
    assert heart.startswith("lungs and heart, by hand: ") and lungs.startswith("lungs: ") and " below 0.85 " in lungs
    assert re.fullmatch(r"share of the lungs outside .*: mean 0\.\d+, 95th percentile [01]\.\d+", outside)
    assert [line.split()[:3] for line in worst] == [
        ["01.jpg", "predicted", "0.200"], ["02.jpg", "predicted", "0.400"], ["03.jpg", "predicted", "0.800"],
    ]  # fmt: skip
    assert sorted(file.name for file in (tmp_path / "worst").iterdir()) == ["01.jpg", "02.jpg", "03.jpg"]


def test_films_of_patients_a_network_was_trained_on_are_left_to_another(phantom_db, network, tmp_path, monkeypatch):
    monkeypatch.setattr(bedside, "SOURCE", "phantom")
    kind = {"convention": "clear_field", "provenance": "manual", "source": "phantom"}  # there are none
    monkeypatch.setattr(bedside, "OTHER_MASKS", {bedside.BY_HAND: kind, "lungs": kind})
    patients = sorted(
        row[0]
        for row in connect(phantom_db).execute("SELECT DISTINCT patient_id FROM study JOIN image USING (study_id)")
    )
    names = "source,image_id,file,patient_id,split\n"
    for fold, test in ((1, patients[::2]), (2, patients[1:4:2])):
        folder = tmp_path / f"fold{fold}"
        folder.mkdir()
        shutil.copy(network, folder / "best.pt")
        rows = (f"phantom,1,a.png,{name},{'test' if name in test else 'train'}\n" for name in patients)
        (folder / "split.csv").write_text(names + "".join(rows))
    networks = [
        (path.parent.name, bedside.patients_trained_on(path.parent)) for path in sorted(tmp_path.glob("*/best.pt"))
    ]
    assert [len(trained_on) for _, trained_on in networks] == [
        len(patients[1::2]),
        len(patients) - len(patients[1:4:2]),
    ]
    predictors = [(Predictor(tmp_path / name / "best.pt"), trained_on) for name, trained_on in networks]
    seen = list(bedside.look(predictors, phantom_db))
    by_fold = {fold: {row.film.patient_id for row in seen if row.predictor is predictors[fold][0]} for fold in (0, 1)}
    assert by_fold[0] == set(patients[::2]) and by_fold[1] == set(patients[1:4:2])
    assert bedside.patients_trained_on(tmp_path) == set()
