"""The ablation's table: what is kept of each run, and how seeds become an interval."""

import json
import threading

import pytest

from benchmarks import ablation
from cli.settings import parse_settings


def fake_call(script, *arguments):
    """Stand in for a training and its evaluation: the score depends on the seed and on whether there is augmentation."""
    calls.append((script, *arguments))
    if script == "evaluate.py":
        folder = arguments[arguments.index("--out") + 1]
        train = next(call for call in reversed(calls) if call[0] == "train.py")
        seed, plain = int(train[train.index("--seed") + 1]), "--no-augment" in train
        lungs = {"mean": 0.9 + 0.01 * seed - 0.05 * plain, "p5": 0.8}
        summary = {"structures": {"lungs": {"dice": lungs}}}
        path = ablation.Path(folder)
        path.mkdir(parents=True)
        (path / "summary.json").write_text(json.dumps(summary))


calls = []


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    calls.clear()
    monkeypatch.setattr(ablation, "call", fake_call)


def test_every_variant_is_trained_once_and_tabulated(tmp_path, monkeypatch, capsys):
    variants = {"as recommended": (), "no augmentation": ("--no-augment",)}
    monkeypatch.setattr(ablation, "INGREDIENTS", variants)
    arguments = ["--db", "films.sqlite", "--out", str(tmp_path)]
    assert ablation.main(arguments) == 0
    assert len(calls) == 2 * 2 * 3 * 2  # variants, splits, seeds, train and evaluate
    table = (tmp_path / "ingredients.md").read_text().splitlines()
    # the mean of .90 .91 .92 with t(2) = 4.3027 and s = .01: 4.3027 * .01 / sqrt(3) = .0248
    assert table[2].startswith("| as recommended | 0.9100 ± 0.0248 | 0.8000 ± 0.0000 | not drawn |")
    assert table[3].startswith("| no augmentation | 0.8600 ± 0.0248 |")
    assert table[4] == "" and table[7].startswith(
        "| no augmentation, less as recommended | -0.0500 ± 0.0000 | 0.0000 ± 0.0000 | not"
    )
    calls.clear()
    assert ablation.main(arguments) == 0 and calls == []  # what is finished is not done again


def test_trainings_at_once_make_the_same_table(tmp_path, monkeypatch):
    """Each training waits until another one has begun: one after the other they would wait for ever."""
    met = threading.Barrier(2, timeout=20)

    def train_and_score(folder, flags):
        met.wait()
        seed, split = int(folder.name.removeprefix("seed")), folder.parent.name
        return {"structures": {"lungs": {"dice": {"mean": 0.9 + 0.01 * seed - 0.1 * (split == "across"), "p5": 0.8}}}}

    monkeypatch.setattr(ablation, "train_and_score", train_and_score)
    arguments = ["--out", str(tmp_path), "--seeds", "2", "--rows", "as recommended,CLAHE", "--at-once", "2"]
    assert ablation.main(arguments) == 0
    columns = (tmp_path / "ingredients.md").read_text().splitlines()[3].split(" | ")
    assert columns[0] == "| CLAHE" and columns[1].startswith("0.9050 ±") and columns[4].startswith("0.8050 ±")


def test_a_training_that_was_begun_is_gone_on_with(tmp_path, monkeypatch):
    def call(script, *arguments):
        calls.append((script, *arguments))
        (tmp_path / "test").mkdir(exist_ok=True)
        (tmp_path / "test" / "summary.json").write_text("{}")

    monkeypatch.setattr(ablation, "call", call)
    (tmp_path / "last.pt").touch()
    ablation.train_and_score(tmp_path, ("--seed", "1"))
    assert calls[0] == ("train.py", "--resume", str(tmp_path))


def test_some_rows_and_shorter_trainings(tmp_path):
    arguments = ["--rows", "no calm end,as recommended", "--epochs", "7", "--phantom-epochs", "2", "--seeds", "1"]
    assert ablation.main([*arguments, "--out", str(tmp_path)]) == 0
    table, differences = (tmp_path / "ingredients.md").read_text().split("\n\n")
    assert len(table.splitlines()) == 2 + 2 and len(differences.splitlines()) == 2 + 1
    trainings = [call for call in calls if call[0] == "train.py"]
    assert len(trainings) == 4 and all(call[call.index("--epochs") + 1] == "7" for call in trainings)
    with pytest.raises(ValueError, match="--rows none: no such row"):
        ablation.main(["--rows", "none", "--out", str(tmp_path)])


def test_one_seed_has_no_interval_and_no_seed_is_refused(tmp_path):
    assert ablation.over_seeds([0.95]) == "0.9500"
    with pytest.raises(ValueError, match="--seeds 0"):
        ablation.main(["--seeds", "0", "--out", str(tmp_path)])


def test_more_films_than_there_are_means_all_of_them(phantom_db):
    selection = ("--db", str(phantom_db), "--folds", "5", "--fold", "1")
    few, many = (("--train-films", number, "--guest-share", "0") for number in ("8", "900"))
    assert ablation.without_too_many(few, selection) == few
    assert ablation.without_too_many(many, selection) == ("--guest-share", "0")
    assert ablation.without_too_many(("--no-augment",), ("--db", "none.sqlite")) == ("--no-augment",)


def test_the_flags_of_every_variant_are_flags_of_train():
    from cli.settings import parse_settings
    from pipeline.train_settings import TrainConfig

    for flags in (*ablation.INGREDIENTS.values(), *ablation.efficiency_variants().values()):
        parse_settings(TrainConfig, list(flags), "")


def test_numbers_of_other_flags_are_not_shown_as_these(tmp_path):
    ablation.train_and_score(tmp_path, ("--seed", "1"))
    ablation.train_and_score(tmp_path, ("--seed", "1"), "home", ("--source", "a"))
    with pytest.raises(ValueError, match="was made with --seed 1, now asked for --seed 2; name another --out"):
        ablation.train_and_score(tmp_path, ("--seed", "2"))
    with pytest.raises(ValueError, match="was made with --source a, now asked for --source b"):
        ablation.train_and_score(tmp_path, ("--seed", "1"), "home", ("--source", "b"))


@pytest.mark.parametrize("part", ["ingredients", "efficiency"])
def test_every_row_can_be_asked_for(part):
    everything = ablation.chosen_variants(ablation.AblationConfig(part=part))
    for name, flags in everything.items():
        config = parse_settings(ablation.AblationConfig, ["--part", part, "--rows", name], "")
        assert ablation.chosen_variants(config) == {name: flags}
