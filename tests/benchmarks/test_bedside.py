"""What can be said of films without clear-field masks: counted on embedded films, whose masks stand in for those of others."""

import re

from benchmarks import bedside
from pipeline.predictor import Predictor
from unet.quality import Quality


def test_films_are_counted_compared_and_the_worst_drawn(phantom_db, network, tmp_path, monkeypatch, capsys):
    kind = {"convention": "clear_field", "provenance": "phantom", "source": "phantom"}
    monkeypatch.setattr(bedside, "SOURCE", "phantom")
    monkeypatch.setattr(bedside, "OTHER_MASKS", {"with the heart": kind, "lungs": kind})
    monkeypatch.setattr(bedside, "WORST", 3)
    expected = iter([0.9, 0.2, 0.8, 0.4, *[0.95] * 100])
    monkeypatch.setattr(Predictor, "quality", lambda self, logits: {"lungs": Quality(next(expected), False)})
    bedside.main(network, phantom_db, tmp_path / "worst")
    first, heart, lungs, *worst = capsys.readouterr().out.splitlines()
    films = int(first.split()[0])
    assert re.search(r"on the right sides: \d+ \(\d", first) and films == 39
    assert heart.startswith("with the heart: ") and lungs.startswith("lungs: ") and " below 0.85 " in lungs
    assert [line.split()[:3] for line in worst] == [
        ["01.jpg", "predicted", "0.200"], ["02.jpg", "predicted", "0.400"], ["03.jpg", "predicted", "0.800"],
    ]  # fmt: skip
    assert sorted(file.name for file in (tmp_path / "worst").iterdir()) == ["01.jpg", "02.jpg", "03.jpg"]
