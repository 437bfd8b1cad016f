"""The table of what a few films of a new hospital give."""

import json

import pytest

from benchmarks import ablation, fine_tuning
from cli.settings import parse_settings
from pipeline.train_settings import TrainConfig

calls = []


def fake_call(script, *arguments):
    """Stand in for a training and its evaluation: fine-tuning gains 0.02 on the new source and costs 0.001 at home."""
    calls.append((script, *arguments))
    flags = dict(zip(arguments[::2], arguments[1::2], strict=True))
    folder = ablation.Path(flags["--out"] if "--out" in flags else flags["--resume"])
    folder.mkdir(parents=True, exist_ok=True)
    if script == "train.py":
        (folder / "last.pt").touch()
        return
    new, tuned = flags["--source"] == "montgomery", "tuned" in flags["--checkpoint"]
    mean = (0.95 + 0.02 * tuned if new else 0.97 - 0.001 * tuned) + 0.001 * ("seed1" in flags["--checkpoint"])
    (folder / "summary.json").write_text(json.dumps({"structures": {"lungs": {"dice": {"mean": mean}}}}))


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    calls.clear()
    monkeypatch.setattr(ablation, "call", fake_call)


def test_both_networks_are_scored_on_both_hospitals(tmp_path):
    arguments = ["--db", "films.sqlite", "--out", str(tmp_path), "--seeds", "2"]
    assert fine_tuning.main(arguments) == 0
    begun = [call for call in calls if call[0] == "train.py" and "--resume" not in call]
    assert len(begun) == 2 * 2 and sum(call[0] == "evaluate.py" for call in calls) == 2 * 4
    for call in begun:
        parse_settings(TrainConfig, list(call[1:]), "")
    table = (tmp_path / "fine_tuning.md").read_text().splitlines()
    # two values 0.001 apart: t(1) = 12.706, s / sqrt(2) = .0005
    assert table[2] == "| untouched | 0.9505 ± 0.0064 | 0.9705 ± 0.0064 |"
    assert table[3] == "| fine-tuned on 20 films | 0.9705 ± 0.0064 | 0.9695 ± 0.0064 |"
    assert table[4] == "| difference | 0.0200 ± 0.0000 | -0.0010 ± 0.0000 |"
    calls.clear()
    assert fine_tuning.main(arguments) == 0 and calls == []  # what is finished is not done again


def test_no_seed_and_no_film_are_refused(tmp_path):
    with pytest.raises(ValueError, match="--seeds 0"):
        fine_tuning.main(["--seeds", "0", "--out", str(tmp_path)])
