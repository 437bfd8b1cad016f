"""train.py called as a user calls it: repeated, killed, resumed, on bad input."""

import csv
import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import evaluate
import train
from data.writing import sole_writer
from db.connection import connect
from db.runs import EPOCH_COLUMNS, log_epoch, start_run
from db.selection import QUERIES, query_text, select_images
from db.splits import split_sets
from pipeline import curriculum, session, training_films
from pipeline.predictor import Predictor
from pipeline.train_settings import TrainConfig, complete, stored_config
from pipeline.training_checks import contents_hash
from pipeline.training_films import without_use
from unet.checkpoint import load_checkpoint, save_checkpoint

ROOT = Path(__file__).parent.parent.parent
SMALL = [
    "--size", "64", "--base", "4", "--epochs", "3", "--precision", "float32", "--device", "cpu", "--batch-size", "4",
    "--seed", "9",
]  # fmt: skip


def call(db, out, *more):
    return train.main(["--db", str(db), "--out", str(out), *SMALL, *map(str, more)])


def weights(folder, name="best.pt"):
    return load_checkpoint(folder / name).weights


def epochs_in(folder):
    with open(folder / "metrics.csv") as file:
        return [row["epoch"] for row in csv.DictReader(file)]


def assert_equal_weights(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.fixture(scope="module")
def finished(phantom_db, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "first"
    assert call(phantom_db, out) == 0
    return out


@pytest.fixture
def two_conventions(phantom_db, tmp_path, copy_of):
    """The path of a database in which the lungs of half of the films are said to be drawn with the heart's shadow inside."""
    db, half = (
        copy_of(phantom_db, tmp_path / "two.sqlite"),
        "image_id IN (SELECT image_id FROM image ORDER BY image_id LIMIT 20)",
    )
    with closing(connect(db)) as copy, copy:
        copy.execute(f"DELETE FROM mask WHERE structure = 'heart' AND {half}")
        copy.execute(f"UPDATE mask SET convention = 'includes_heart' WHERE {half}")
    return db


def test_a_run_leaves_what_the_contract_says(finished, phantom_db):
    names = {path.name for path in finished.iterdir()} - {".lock"}
    assert names == {"best.pt", "last.pt", "config.json", "metrics.csv", "split.csv", "curves.png"}
    config = json.loads((finished / "config.json").read_text())
    assert config["settings"]["epochs"] == 3 and config["settings"]["precision"] == "float32"
    assert epochs_in(finished) == ["1", "2", "3"]
    run = connect(phantom_db).execute("SELECT * FROM run WHERE folder = ?", (str(finished),)).fetchone()
    assert (run["command"], run["status"]) == ("train", "finished")
    epochs = connect(phantom_db).execute("SELECT count(*) FROM epoch WHERE run_id = ?", (run["run_id"],)).fetchone()[0]
    assert epochs == 3


def test_of_few_films_a_run_knows_only_those(phantom_db, tmp_path, capsys):
    call(phantom_db, tmp_path / "few", "--train-films", 5, "--epochs", 1)
    assert re.search(r"(?m)^5 films to train on, \d+ to choose by", capsys.readouterr().out)
    with open(tmp_path / "few/split.csv", newline="") as file:
        splits = [row["split"] for row in csv.DictReader(file)]
    assert splits.count("train") == 5
    assert len(load_checkpoint(tmp_path / "few/best.pt").learnt_from) == 5 + splits.count("val")


def test_the_best_checkpoint_holds_what_the_validation_films_say(finished):
    best = load_checkpoint(finished / "best.pt")
    assert set(best.temperature) == set(best.threshold) == set(best.structures)
    assert all(0 < value < 1 for value in best.threshold.values())
    assert best.validation["films"] == best.validation["operating_point"]["lungs"]["films"] > 0
    assert best.resume == {} and "structures" in best.quality


def test_two_runs_with_one_seed_give_the_same_weights(finished, phantom_db, tmp_path):
    call(phantom_db, tmp_path / "again")
    assert_equal_weights(weights(finished), weights(tmp_path / "again"))
    first, again = (load_checkpoint(folder / "best.pt") for folder in (finished, tmp_path / "again"))
    assert (first.temperature, first.threshold, first.quality) == (again.temperature, again.threshold, again.quality)
    call(phantom_db, tmp_path / "other", "--seed", 5)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(weights(finished).values(), weights(tmp_path / "other").values(), strict=True)
    )


def test_a_run_killed_in_the_middle_and_resumed_gives_the_same_weights(finished, phantom_db, tmp_path):
    out = tmp_path / "killed"
    command = [sys.executable, "train.py", "--db", str(phantom_db), "--out", str(out), *SMALL]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.startswith("epoch"):  # the first epoch is done, the second under way
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    assert load_checkpoint(out / "last.pt").progress["epoch"] < 3
    assert train.main(["--resume", str(out)]) == 0
    assert_equal_weights(weights(finished), weights(out))
    assert_equal_weights(weights(finished, "last.pt"), weights(out, "last.pt"))
    assert epochs_in(out) == ["1", "2", "3"]


def test_ctrl_c_says_how_to_go_on(phantom_db, tmp_path, monkeypatch, capsys):
    epochs = []

    def stop_in_the_second(session, progress, original=train.train_one_epoch):
        if epochs:
            raise KeyboardInterrupt
        epochs.append(1)
        original(session, progress)

    monkeypatch.setattr(train, "train_one_epoch", stop_in_the_second)
    assert call(phantom_db, tmp_path / "run") == 130
    assert f"python train.py --resume {tmp_path / 'run'}" in capsys.readouterr().err
    row = connect(phantom_db).execute("SELECT status FROM run WHERE folder = ?", (str(tmp_path / "run"),)).fetchone()
    assert row["status"] == "interrupted"
    with pytest.warns(UserWarning, match="its training of 3 epochs has not ended: .*train.py --resume"):
        assert evaluate.main(["--checkpoint", str(tmp_path / "run"), "--out", str(tmp_path / "half")]) == 0
    assert "Attention: " in (tmp_path / "half/report.md").read_text()
    monkeypatch.undo()
    config = json.loads((tmp_path / "run/config.json").read_text())
    config["facts"]["precision"] = "float32: as measured by the first call"
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    capsys.readouterr()
    assert train.main(["--resume", str(tmp_path / "run")]) == 0
    assert "float32: as measured by the first call" in capsys.readouterr().out
    whole = load_checkpoint(tmp_path / "run/best.pt").progress["history"]
    assert [row["epoch"] for row in whole] == [1, 2, 3]  # also of epochs after the best
    with pytest.warns(UserWarning, match="last.pt: is what --resume goes on from: .*use the best.pt beside it"):
        Predictor(tmp_path / "run/last.pt", "cpu")
    (tmp_path / "run/best.pt").unlink()
    with pytest.raises(ValueError, match="its best.pt, which holds the best epoch so far, is gone"):
        train.main(["--resume", str(tmp_path / "run")])


def test_a_full_disk_leaves_the_last_good_checkpoint(phantom_db, tmp_path, monkeypatch):
    original, saved = session.save_checkpoint, []

    def full_after_the_first_epoch(file, checkpoint):
        if checkpoint.progress["epoch"] >= 2:
            file.write(b"half a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        saved.append(checkpoint.progress["epoch"])
        original(file, checkpoint)

    monkeypatch.setattr(session, "save_checkpoint", full_after_the_first_epoch)
    with pytest.raises(OSError, match="No space left"):
        call(phantom_db, tmp_path / "run")
    assert saved and load_checkpoint(tmp_path / "run/last.pt").progress["epoch"] == 1
    assert not list((tmp_path / "run").glob(".*tmp"))


def test_only_a_training_that_kept_a_checkpoint_is_told_how_to_go_on(phantom_db, tmp_path, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_one_epoch", stop)
    assert call(phantom_db, tmp_path / "run") == train.INTERRUPTED
    assert f"Stopped; go on with: python train.py --resume {tmp_path / 'run'}" in capsys.readouterr().err
    monkeypatch.setattr(train, "overfit", stop)
    flags = ["--base", "4", "--size", "64", "--precision", "float32", "--seed", "9"]
    by_heart = ["--db", str(phantom_db), "--out", str(tmp_path / "heart"), "--overfit-batch", *flags]
    assert train.main(by_heart) == train.INTERRUPTED
    assert "Stopped before anything was kept" in capsys.readouterr().err


def test_a_phantom_that_train_films_left_out_and_the_phantom_stage_teaches_counts_as_learnt_from(phantom_db):
    with closing(connect(phantom_db)) as connection:
        parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
        left_out, kept = select_images(connection, query_text("segmentation_images"), parameters, "seed9")[:2]
    left_out, kept = replace(left_out, split=None), replace(kept, split="test")
    stage = SimpleNamespace(films="phantom", dataset=SimpleNamespace(records=[left_out, kept]), rows=[0])
    films = training_films.every_film([left_out, kept], [], [stage])
    assert sorted(film.content_sha256 for film in films) == sorted([left_out.content_sha256, kept.content_sha256])
    assert training_films.hashes_learnt_from(films, None) == [left_out.content_sha256]


def test_a_sound_set_up_learns_one_batch_by_heart(phantom_db, tmp_path, capsys):
    flags = ("--base", "16", "--learning-rate", "0.01", "--size", "64", "--precision", "float32", "--seed", "9")
    status = train.main(["--db", str(phantom_db), "--out", str(tmp_path / "run"), "--overfit-batch", *flags])
    out = capsys.readouterr().out
    assert status == 0 and "the set-up is sound" in out, out


def test_a_batch_that_is_not_learnt_by_heart_is_a_failure(phantom_db, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "OVERFIT_DICE", 1.1)
    monkeypatch.setattr(train, "OVERFIT_STEPS", 2)
    flags = ("--base", "8", "--size", "64", "--precision", "float32", "--seed", "9")
    status = train.main(["--db", str(phantom_db), "--out", str(tmp_path / "run"), "--overfit-batch", *flags])
    assert status == 1 and "something is wrong with the films" in capsys.readouterr().out


def test_masks_without_a_pixel_are_warned_of(phantom_db, tmp_path, capsys, monkeypatch):
    def empty(record, original=session.FilmDataset.__init__.__globals__["load_masks"]):
        return {name: mask & False for name, mask in original(record).items()}

    monkeypatch.setitem(session.FilmDataset.__init__.__globals__, "load_masks", empty)
    monkeypatch.setattr(session, "cache_folder", lambda db: tmp_path / "cache")
    call(phantom_db, tmp_path / "run", "--epochs", "1")
    err = capsys.readouterr().err
    assert "heart: the masks have no positive pixel on any film" in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--source", "elsewhere"], "--source elsewhere: no such source; the database has phantom"),
        (["--source", "all,phantom"], "--source all,phantom: all means every source; name all alone, or only others"),
        (["--provenance", "model"], "finds no film .* --provenance model --source all$"),
        (
            ["--query", "adults_with_large_hearts", "--provenance", "model"],
            "hearts finds no film .* asks for besides is not in that table",
        ),
        (["--heart-weight", "0"], "--heart-weight 0.0: wanted more than 0"),
        (["--query", "every_image", "--provenance", "model"], "--provenance changes nothing: the query does not use"),
        (["--query", "every_image"], "none of the .* films that every_image selects has a mask to learn from"),
        (
            ["--provenance", "manul,phantom"],
            "--provenance manul: no such provenance; wanted some of manual, landmark, phantom, model",
        ),
        (["--train-films", "900"], r"--train-films 900: there are \d\d films to train on; ask for fewer"),
        (["--init", "none.pt", "--phantom-epochs", "6"], "--phantom-epochs 6 changes nothing with --init"),
        (["--blend", "0.5"], "--blend 0.5 changes nothing without --init"),
        (["--overfit-batch"], "--epochs changes nothing with --overfit-batch"),
        (["--init", "."], "--init . is a folder; name the weights, e.g. best.pt"),
        (["--query", "no such.sql"], "no such file and no named query"),
        (["--folds", "1"], "--folds 1: wanted 2 or more"),
        (["--folds", "3", "--leave-out", "phantom"], "use one of them"),
        (["--leave-out", "mars"], "no such source; the database has phantom"),
        (["--leave-out", "phantom"], "--leave-out phantom leaves none of the .* films to train on"),
        (["--epochs", "0"], "--epochs 0: wanted 1 or more"),
        (["--size", "32"], "--size 32: wanted 64 to 8192"),
        (["--size", "100000"], "--size 100000: wanted 64 to 8192"),
        (["--fold", "2"], "--fold 2 changes nothing without --folds"),
        (["--learning-rate", "-1"], "--learning-rate -1.0: wanted more than 0"),
        (["--average-decay", "1"], "--average-decay 1.0: wanted 0 or more, and less than 1"),
        (["--dice-weight", "nan"], "--dice-weight nan: wanted 0 or more"),
        (["--dice-weight", "-1"], "--dice-weight -1.0: wanted 0 or more"),
        (["--seed", "-1"], "--seed -1: wanted 0 to 1000000000000"),
        (["--init", "none.pt"], "none.pt: no such file"),
        (["--guest-share", "-1"], "--guest-share -1.0: wanted 0 or more"),
        (["--guest-share", "inf"], "--guest-share inf: wanted a finite number"),
        (["--calm-share", "nan"], "--calm-share nan: wanted a finite number"),
        (["--learning-rate", "inf"], "--learning-rate inf: wanted a finite number"),
        (["--init", "none.pt", "--blend", "0"], "--blend 0.0: wanted more than 0"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_leaves_nothing(phantom_db, tmp_path, more, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        call(phantom_db, tmp_path / "run", *more)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "asked",
    [
        ["--leave-out", "phantom"],
        ["--folds", "40"],
        ["--folds", "8", "--seed", "3"],
        ["--train-films", "900", "--seed", "77"],
    ],
)
def test_a_refused_training_leaves_no_split_that_was_drawn_of_too_few_patients(phantom_db, tmp_path, asked):
    db = tmp_path / "films.sqlite"
    with closing(connect(phantom_db)) as connection:
        before = split_sets(connection)
        connection.execute("VACUUM INTO ?", (str(db),))
    with pytest.raises(ValueError):
        call(db, tmp_path / "run", *asked)
    with closing(connect(db)) as connection:
        assert split_sets(connection) == before


def test_no_other_process_sees_the_split_of_a_training_that_may_be_refused(phantom_db, tmp_path, monkeypatch):
    db, seen = tmp_path / "films.sqlite", []

    def refuse(*_):
        with closing(connect(db)) as other:  # it may have begun to use the split, had it been stored
            seen.append(split_sets(other))
        raise ValueError("too few")

    with closing(connect(phantom_db)) as connection:
        before = split_sets(connection)
        connection.execute("VACUUM INTO ?", (str(db),))
    monkeypatch.setattr("pipeline.training_films.check_counts", refuse)
    with pytest.raises(ValueError, match="too few"):
        call(db, tmp_path / "run", "--seed", "77")
    assert seen == [before]


def test_other_settings_beside_resume_are_refused(finished, phantom_db):
    with pytest.raises(
        ValueError, match="--resume .* goes on with the settings in its config.json; leave out --epochs"
    ):
        train.main(["--resume", str(finished), "--epochs", "9"])
    with pytest.raises(ValueError, match="leave out --seed"):  # 0 is the default, and not what the training has
        train.main(["--resume", str(finished), "--seed", "0"])


def test_fine_tuning_keeps_the_size_of_its_weights(finished, tmp_path):
    base = load_checkpoint(finished / "best.pt").model.base
    assert complete(TrainConfig(out=tmp_path, init=finished / "best.pt", preset="accurate")).base == base
    with pytest.raises(ValueError, match=f"--base {base + 1}: the weights of --init .* have {base}"):
        complete(TrainConfig(out=tmp_path, init=finished / "best.pt", base=base + 1))


def test_weights_of_other_structures_are_not_fine_tuned(finished, tmp_path):
    other = load_checkpoint(finished / "best.pt")
    other.structures = other.structures[::-1]
    with open(tmp_path / "other.pt", "wb") as file:
        save_checkpoint(file, other)
    with pytest.raises(ValueError, match="other.pt: its channels are heart, left_lung, right_lung, wanted right_lung"):
        complete(TrainConfig(out=tmp_path / "run", init=tmp_path / "other.pt"))


def test_a_used_folder_is_not_written_over(finished, phantom_db):
    with pytest.raises(ValueError, match="already holds a training; go on with it by --resume"):
        call(phantom_db, finished)


def test_a_network_without_its_training_is_not_written_over(finished, phantom_db, tmp_path):
    for folder in (tmp_path / "given", tmp_path / "cross/fold2"):
        folder.mkdir(parents=True)
        shutil.copy(finished / "best.pt", folder)
    before = (tmp_path / "given/best.pt").read_bytes()
    with pytest.raises(ValueError, match="given holds a network, .*best.pt, which would be overwritten; name another"):
        call(phantom_db, tmp_path / "given", "--init", tmp_path / "given/best.pt")
    with pytest.raises(ValueError, match="cross holds a network, .*fold2/best.pt"):
        call(phantom_db, tmp_path / "cross", "--folds", "2")
    assert (tmp_path / "given/best.pt").read_bytes() == before


def test_given_weights_are_kept_by_a_path_that_holds_in_every_folder(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished)
    config = complete(TrainConfig(db=Path("films.sqlite"), out=tmp_path, init=Path("best.pt")))
    assert config.init == finished / "best.pt" and config.init.is_absolute()


@pytest.mark.parametrize("split", ["train", "val"])
def test_films_without_masks_are_not_trained_on_or_chosen_by(finished, phantom_db, tmp_path, copy_of, capsys, split):
    """A query may select them: their loss is 0, as good as none."""
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    query = tmp_path / "all.sql"
    query.write_text("SELECT image_id, mask_id FROM image LEFT JOIN mask USING (image_id) WHERE duplicate_of IS NULL")
    with open(finished / "split.csv") as file:
        images = sorted({int(row["image_id"]) for row in csv.DictReader(file) if row["split"] == split})
    with closing(connect(db)) as connection:
        connection.execute(f"DELETE FROM mask WHERE image_id = {images[0]}")
    assert call(db, tmp_path / "run", "--epochs", "1", "--query", query) == 0
    facts = json.loads((tmp_path / "run/config.json").read_text())["facts"]
    assert facts["films"][split] == len(images) - 1
    with closing(connect(db)) as connection:
        connection.execute(f"DELETE FROM mask WHERE image_id IN ({', '.join(map(str, images))})")
    with pytest.raises(ValueError, match=rf"none of the \d+ films in the {split} split has a mask"):
        call(db, tmp_path / "none", "--epochs", "1", "--query", query)


def test_the_order_in_which_a_query_returns_films_does_not_matter(phantom_db, tmp_path):
    for order in ("ASC", "DESC"):
        query = tmp_path / f"{order}.sql"
        query.write_text(f"SELECT image_id, mask_id FROM mask JOIN image USING (image_id) ORDER BY image_id {order}")
        assert call(phantom_db, tmp_path / order, "--epochs", "1", "--query", query) == 0
    assert_equal_weights(weights(tmp_path / "ASC"), weights(tmp_path / "DESC"))


def test_films_of_a_left_out_source_never_teach_whatever_their_patient_was_drawn_for(phantom_db):
    parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
    films = select_images(connect(phantom_db), query_text("segmentation_images"), parameters)[:4]
    films = [replace(film, split=split) for film, split in zip(films, ("train", "val", "test", "train"), strict=True)]
    films[3] = replace(films[3], source="another")
    used, seen = without_use(films, ("phantom",))
    assert [film.split for film in used] == [None, None, "test", "train"] and seen == 2
    assert without_use(films, ()) == (films, 0)


def test_one_patient_alone_cannot_be_split(phantom_db, tmp_path):
    query = tmp_path / "one.sql"
    query.write_text(
        "SELECT image_id, mask_id FROM mask JOIN image USING (image_id) JOIN study USING (study_id) "
        "WHERE patient_id = (SELECT min(patient_id) FROM study)"
    )
    with pytest.raises(
        ValueError,
        match=r"\(1 patients\) fell into the .* split; the split is by patient: ingest more patients, or give each person an own",
    ):
        call(phantom_db, tmp_path / "run", "--query", query)


def test_a_fold_that_cannot_be_trained_is_named_before_the_first_one_is(phantom_db, tmp_path):
    with pytest.raises(ValueError, match=r"fell into the \w+ split of fold \d+; .* another --seed or fewer --folds"):
        call(phantom_db, tmp_path / "cross", "--folds", "60")
    assert not (tmp_path / "cross").exists()


def test_a_training_whose_database_is_elsewhere_goes_on_where_it_is_now(phantom_db, tmp_path, copy_of, monkeypatch):
    copy_of(phantom_db, tmp_path / "films.sqlite")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    shutil.copy(QUERIES / "segmentation_images.sql", "own.sql")
    assert call("films.sqlite", tmp_path / "run", "--epochs", "1", "--query", "own.sql") == 0
    monkeypatch.chdir(tmp_path / "other")
    assert train.main(["--resume", str(tmp_path / "run")]) == 0  # what was named there means the same here
    words = ["--checkpoint", str(tmp_path / "run"), "--precision", "float32"]
    assert evaluate.main(words) == 0
    copy_of(tmp_path / "films.sqlite", tmp_path / "moved.sqlite")
    (tmp_path / "films.sqlite").unlink()
    with pytest.raises(
        FileNotFoundError, match="its database .*/films.sqlite is not there as seen from .*other; .*--db"
    ):
        train.main(["--resume", str(tmp_path / "run")])
    with pytest.raises(FileNotFoundError, match="films.sqlite: no such file"):
        evaluate.main(words)
    monkeypatch.chdir(tmp_path)
    assert train.main(["--resume", str(tmp_path / "run"), "--db", "moved.sqlite"]) == 0
    monkeypatch.chdir(tmp_path / "other")
    assert train.main(["--resume", str(tmp_path / "run")]) == 0  # it knows now


def test_folds_are_trained_one_by_one_and_taken_up_where_they_stopped(phantom_db, tmp_path, capsys):
    out = tmp_path / "cross"
    assert call(phantom_db, out, "--folds", "2", "--epochs", "1") == 0
    assert {path.name for path in out.iterdir()} == {"config.json", "fold1", "fold2"}
    before = (out / "fold1/best.pt").stat().st_mtime_ns
    with pytest.raises(ValueError, match="already holds a training; go on with it by --resume"):
        call(phantom_db, out, "--folds", "2", "--learning-rate", "1e-4")
    (out / "fold2/last.pt").unlink()
    assert train.main(["--resume", str(out)]) == 0
    assert (out / "fold1/best.pt").stat().st_mtime_ns == before and (out / "fold2/last.pt").exists()


def test_a_fold_goes_on_in_the_number_format_that_was_measured_when_it_was_begun(phantom_db, tmp_path, monkeypatch):
    out = tmp_path / "cross"
    flags = ("--folds", "2", "--epochs", "1", "--precision", "auto")
    monkeypatch.setattr(session, "choose_precision", lambda name, device: ("bfloat16", "measured"))
    assert call(phantom_db, out, *flags) == 0
    asked = []
    monkeypatch.setattr(session, "choose_precision", lambda name, device: asked.append(name) or (name, "as asked"))
    assert train.main(["--resume", str(out)]) == 0
    assert asked == ["bfloat16", "bfloat16"]


def test_films_drawn_with_the_heart_train_beside_the_others_and_are_never_judged_by(two_conventions, tmp_path, capsys):
    db = two_conventions
    assert call(db, tmp_path / "with", "--guest-share", "0.5") == 0
    said = capsys.readouterr().out
    assert re.search(r"\d+ more films, drawn with the heart's shadow inside, .*: \d+ of them join each epoch", said)
    assert call(db, tmp_path / "without", "--guest-share", "0") == 0
    assert "drawn with the heart" not in capsys.readouterr().out

    def split(folder):
        with open(tmp_path / folder / "split.csv") as file:
            return {(row["image_id"], row["split"]) for row in csv.DictReader(file)}

    joined = split("with") - split("without")
    assert joined and {part for _, part in joined} == {"train"} and split("without") <= split("with")
    facts = json.loads((tmp_path / "with/config.json").read_text())["facts"]
    assert facts["films"] == json.loads((tmp_path / "without/config.json").read_text())["facts"]["films"]
    assert not torch.equal(weights(tmp_path / "with")["head.weight"], weights(tmp_path / "without")["head.weight"])
    assert 0 < facts["guests"] <= len(joined)
    assert call(db, tmp_path / "other", "--guest-share", "0.5", "--convention", "includes_heart", "--epochs", "1") == 0
    assert "drawn with the heart" not in capsys.readouterr().out


def test_settings_that_change_nothing_on_these_films_are_told(phantom_db, tmp_path, capsys):
    asked = ("--epochs", "1", "--phantom-epochs", "3", "--guest-share", "0.5")
    assert call(phantom_db, tmp_path / "asked", *asked) == 0
    said = capsys.readouterr().err
    assert "--phantom-epochs 3 changes nothing: the films are phantoms already" in said
    assert "--guest-share 0.5 changes nothing: no film drawn with the heart's shadow inside joins" in said
    call(phantom_db, tmp_path / "preset", "--epochs", "1", "--preset", "accurate")
    assert "changes nothing" not in capsys.readouterr().err


def test_phantom_films_that_came_first_are_listed_as_trained_on_and_count_as_no_selected_films(
    phantom_db, tmp_path, copy_of, monkeypatch
):
    """The same films on both sides: some are said to be drawn by hand, and the embedded ones are all of them."""
    db = copy_of(phantom_db, tmp_path / "own.sqlite")
    with closing(connect(db)) as copy, copy:
        copy.execute(
            "UPDATE mask SET provenance = 'manual' WHERE image_id IN (SELECT image_id FROM image ORDER BY image_id LIMIT 24)"
        )
    monkeypatch.setattr(curriculum, "ensure_phantom", lambda: phantom_db)
    flags = ("--provenance", "manual", "--epochs", "1")
    assert call(db, tmp_path / "without", *flags) == 0
    assert call(db, tmp_path / "with", *flags, "--phantom-epochs", "1") == 0

    def split(folder):
        with open(tmp_path / folder / "split.csv") as file:
            return list(csv.DictReader(file))

    def facts(folder):
        return json.loads((tmp_path / folder / "config.json").read_text())["facts"]

    own, listed = split("without"), split("with")
    drawn = listed[len(own) :]
    hashes = [row["content_sha256"] for row in listed]
    assert listed[: len(own)] == own and len(hashes) == len(set(hashes))
    assert drawn and {(row["source"], row["split"]) for row in drawn} == {("phantom", "train")}
    learnt_from = load_checkpoint(tmp_path / "with/best.pt").learnt_from
    assert learnt_from == sorted(row["content_sha256"] for row in listed if row["split"] != "test")
    assert {name: facts("with")[name] for name in ("films", "patients")} == {
        name: facts("without")[name] for name in ("films", "patients")
    }
    query = tmp_path / "drawn.sql"
    query.write_text("SELECT image_id, mask_id FROM mask WHERE provenance = 'phantom'")
    words = ["--checkpoint", str(tmp_path / "with"), "--query", str(query), "--out", str(tmp_path / "unseen")]
    assert evaluate.main([*words, "--split", "all", "--precision", "float32"]) == 0
    seen = json.loads((tmp_path / "unseen/summary.json").read_text())["trained_on"]
    assert seen == len(drawn)


def test_other_preparation_than_that_of_the_given_weights_is_warned_of(finished, phantom_db, tmp_path, capsys):
    call(phantom_db, tmp_path / "tuned", "--init", finished / "best.pt", "--epochs", "1", "--size", "96")
    assert "was trained with size 64, this training has 96: far worse" in capsys.readouterr().err


def test_given_weights_that_have_learnt_from_films_kept_for_testing_are_warned_of(
    finished, phantom_db, tmp_path, capsys
):
    flags = ("--init", finished / "best.pt", "--epochs", "1")
    call(phantom_db, tmp_path / "same", *flags)
    assert "has learnt from" not in capsys.readouterr().err
    call(phantom_db, tmp_path / "other", *flags, "--seed", "5")
    warned = re.search(
        r"has learnt from patients of \d+ of the \d+ films that are kept for testing", capsys.readouterr().err
    )
    assert warned

    (tmp_path / "alone").mkdir()  # without the split.csv beside them the weights still know their films
    flags = ("--init", shutil.copy(finished / "best.pt", tmp_path / "alone"), "--epochs", "1", "--seed", "5")
    call(phantom_db, tmp_path / "again", *flags)
    said = capsys.readouterr()
    assert warned[0] in said.err and "evaluate.py refuses to test it, as --init has learnt from" in said.out
    before, tuned = (set(load_checkpoint(folder / "best.pt").learnt_from) for folder in (finished, tmp_path / "again"))
    with open(tmp_path / "again/split.csv") as file:
        own = {row["content_sha256"] for row in csv.DictReader(file) if row["split"] != "test"}
    assert tuned == before | own and not before <= own


def test_fine_tuning_starts_from_the_given_weights(finished, phantom_db, tmp_path):
    call(phantom_db, tmp_path / "tuned", "--init", finished / "best.pt", "--epochs", "1", "--learning-rate", "1e-9")
    start, tuned = weights(finished), weights(tmp_path / "tuned")
    assert torch.allclose(start["head.weight"], tuned["head.weight"], atol=1e-4)


def test_few_films_keep_what_the_network_before_them_knew_of_films(finished, phantom_db, tmp_path, capsys):
    flags = ("--epochs", "1", "--train-films", "10")
    call(phantom_db, tmp_path / "tuned", "--init", finished / "best.pt", *flags)
    said = capsys.readouterr()
    assert f"Too few films to fit what chest films look like: taken from {finished / 'best.pt'}" in said.out
    assert "below 20 nothing is fitted" not in said.err.lower()
    before, tuned = load_checkpoint(finished / "best.pt"), load_checkpoint(tmp_path / "tuned/best.pt")
    assert tuned.typical == before.typical and tuned.quality != before.quality
    assert tuned.progress["inherited"] == ["what chest films look like"]
    call(phantom_db, tmp_path / "fresh", *flags)
    assert "Below 20 nothing is fitted" in capsys.readouterr().err
    assert "precision" not in load_checkpoint(tmp_path / "fresh/best.pt").typical


def test_fine_tuned_weights_are_drawn_back_to_the_given_ones(finished, phantom_db, tmp_path):
    out = tmp_path / "tuned"
    call(phantom_db, out, "--init", finished / "best.pt", "--epochs", "1", "--blend", "0.25")
    start, kept = weights(finished)["head.weight"], weights(out)["head.weight"]
    tuned = load_checkpoint(out / "last.pt").weights["head.weight"]
    assert not torch.allclose(start, tuned) and torch.allclose(kept, start + 0.25 * (tuned - start), atol=1e-6)


def test_fine_tuning_goes_on_the_same_after_a_stop_though_the_given_weights_are_gone(
    finished, phantom_db, tmp_path, monkeypatch
):
    shutil.copy(finished / "best.pt", tmp_path / "start.pt")
    shutil.copy(finished / "split.csv", tmp_path / "split.csv")
    flags = ("--init", tmp_path / "start.pt", "--blend", "0.25", "--epochs", "2")
    call(phantom_db, tmp_path / "straight", *flags)
    with monkeypatch.context() as patch:
        patch.setattr(train, "fit_on_validation", lambda *_: None)
        original = train.train_one_epoch

        def one_only(session, progress):
            if session.trainer.epoch:
                raise KeyboardInterrupt
            original(session, progress)

        patch.setattr(train, "train_one_epoch", one_only)
        call(phantom_db, tmp_path / "stopped", *flags)
    (tmp_path / "start.pt").unlink()
    assert train.main(["--resume", str(tmp_path / "stopped")]) == 0
    assert_equal_weights(weights(tmp_path / "straight"), weights(tmp_path / "stopped"))


def test_trained_weights_are_changed_in_small_steps_unless_told_otherwise(finished, tmp_path):
    fresh, tuned = complete(TrainConfig(out=tmp_path)), complete(TrainConfig(out=tmp_path, init=finished / "best.pt"))
    assert tuned.learning_rate < fresh.learning_rate and tuned.small_share == 0 < fresh.small_share
    assert (fresh.optimizer, tuned.optimizer) == ("muon", "adamw")
    told = complete(TrainConfig(out=tmp_path, init=finished / "best.pt", learning_rate=1e-2, small_share=0.5))
    assert (told.learning_rate, told.small_share) == (1e-2, 0.5)
    by_heart = complete(TrainConfig(out=tmp_path, init=finished / "best.pt", preset="accurate", overfit_batch=True))
    assert (by_heart.guest_share, by_heart.blend) == (0, 1)


def test_a_training_begun_by_an_older_release_goes_on_as_it_was_begun(finished, tmp_path):
    config = json.loads((finished / "config.json").read_text())
    del config["settings"]["blend"], config["settings"]["optimizer"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert (stored_config(tmp_path).blend, stored_config(tmp_path).optimizer) == (1, "adamw")


def test_guests_are_other_films_than_those_a_query_has_chosen_and_have_a_mask(two_conventions):
    config = TrainConfig(db=two_conventions, guest_share=1.0)
    connection = connect(two_conventions)
    with_heart = {row[0] for row in connection.execute("SELECT image_id FROM mask WHERE convention = 'includes_heart'")}
    parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}

    def guests(sql):
        path = two_conventions.parent / "query.sql"
        path.write_text(sql)
        own = replace(config, query=str(path))
        records = select_images(connection, sql, parameters)
        return {record.image_id for record in training_films.find_guests(connection, own, None, records)}

    every = "SELECT image_id, mask_id FROM image LEFT JOIN (SELECT * FROM mask WHERE convention = :convention) USING (image_id)"
    assert guests("SELECT image_id, mask_id FROM mask WHERE convention = :convention") == with_heart
    assert guests(every) == set()  # it has chosen them already, without a mask
    assert guests("SELECT image_id, mask_id FROM mask WHERE convention = 'includes_heart'") == set()
    assert guests("SELECT image_id, mask_id FROM mask WHERE convention = 'clear_field'") == set()


def test_ctrl_c_in_a_fold_names_the_cross_validation_to_go_on_with(phantom_db, tmp_path, capsys, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_one_epoch", stop)
    assert call(phantom_db, tmp_path / "cross", "--folds", "2", "--epochs", "1") == 130
    assert f"--resume {tmp_path / 'cross'}\n" in capsys.readouterr().err


def test_a_training_does_not_go_on_with_other_films(phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    assert call(db, tmp_path / "run", "--epochs", "1") == 0
    with closing(connect(db)) as connection:
        image = connection.execute("SELECT image_id FROM mask LIMIT 1").fetchone()[0]
        connection.execute("DELETE FROM mask WHERE image_id = ?", (image,))
    with pytest.raises(ValueError, match="was begun with films .* now; bring the films back"):
        train.main(["--resume", str(tmp_path / "run")])


def test_a_training_does_not_go_on_with_other_masks_of_its_films(phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    assert call(db, tmp_path / "run", "--epochs", "1") == 0
    before = (tmp_path / "run/split.csv").read_bytes()
    with open(tmp_path / "run/split.csv") as file:
        image = next(row["image_id"] for row in csv.DictReader(file) if row["split"] == "train")
    with closing(connect(db)) as connection:
        connection.execute(
            "UPDATE mask SET file = NULL, rle = '1 40' WHERE image_id = ? AND structure = 'heart'", (image,)
        )
    with pytest.raises(
        ValueError, match="was begun with as many films, but not the same ones, or with other splits or"
    ):
        train.main(["--resume", str(tmp_path / "run")])
    assert (tmp_path / "run/split.csv").read_bytes() == before
    config = json.loads((tmp_path / "run/config.json").read_text())
    del config["facts"]["contents"]  # begun by an older release, which did not say
    (tmp_path / "run/config.json").write_text(json.dumps(config))
    assert train.main(["--resume", str(tmp_path / "run")]) == 0


def test_what_a_training_is_known_by_outlives_reading_in_anew(phantom_db, tmp_path):
    parameters = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
    films = select_images(connect(phantom_db), query_text("segmentation_images"), parameters)[:4]
    films = [replace(film, split=split) for film, split in zip(films, ("train", "val", "test", "train"), strict=True)]
    moved = shutil.copy(films[0].masks[0].path, tmp_path / "moved.png")
    first = (replace(films[0].masks[0], path=Path(moved)), *films[0].masks[1:])
    again = [replace(films[0], image_id=77, patient_id="other", masks=first[::-1]), *films[1:]]
    assert contents_hash(films) == contents_hash(again[::-1])
    swapped = [replace(films[0], split="val"), replace(films[1], split="train"), *films[2:]]
    assert contents_hash(films) != contents_hash(swapped)
    undrawn = [
        *films[:2],
        replace(films[2], masks=()),
        films[3],
    ]  # of a film kept for testing, nobody learns from its masks
    assert contents_hash(films) == contents_hash(undrawn) != contents_hash([*undrawn[:3], replace(films[3], masks=())])


def test_an_epoch_that_a_kill_kept_out_of_the_log_is_written_at_the_resume(phantom_db, tmp_path, copy_of):
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    assert call(db, tmp_path / "run", "--epochs", "2") == 0
    with closing(connect(db)) as connection:
        connection.execute("DELETE FROM epoch WHERE epoch = 2")
        (tmp_path / "run/metrics.csv").unlink()
        assert train.main(["--resume", str(tmp_path / "run")]) == 0
        epochs = connection.execute(
            "SELECT epoch FROM epoch JOIN run USING (run_id) WHERE folder = ?", (str(tmp_path / "run"),)
        )
        assert sorted(row[0] for row in epochs) == [1, 2]
    with open(tmp_path / "run/metrics.csv") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]


def test_a_folder_that_another_call_writes_to_is_left_alone(phantom_db, tmp_path):
    with (
        sole_writer(tmp_path / "run"),
        pytest.raises(ValueError, match="run: another call is writing there; wait for its end"),
    ):
        call(phantom_db, tmp_path / "run", "--epochs", "1")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_a_killed_call_leaves_no_run_under_way_and_its_epochs_to_itself(phantom_db, tmp_path, copy_of):
    """Its row said 'running' for ever, or held what another training did."""
    db = copy_of(phantom_db, tmp_path / "films.sqlite")
    with closing(connect(db)) as connection:
        killed = start_run(connection, "train", tmp_path / "run", {"epochs": 9})
        log_epoch(connection, killed, 7, dict.fromkeys(EPOCH_COLUMNS, 0.5))
        assert call(db, tmp_path / "run", "--epochs", "1") == 0
        runs = connection.execute(
            "SELECT * FROM run WHERE folder = ? ORDER BY run_id", (str(tmp_path / "run"),)
        ).fetchall()
        epochs = connection.execute("SELECT epoch FROM epoch WHERE run_id = ?", (runs[1]["run_id"],)).fetchall()
    assert [run["status"] for run in runs] == ["failed", "finished"] and runs[0]["run_id"] == killed
    assert json.loads(runs[1]["config"])["epochs"] == 1 and [row["epoch"] for row in epochs] == [1]
