"""The commands on a GPU: the results of the processor up to rounding. Skipped where there is none."""

import csv
import json
import re
from contextlib import closing

import numpy as np
import pytest
import torch
from PIL import Image

import evaluate
import predict
import train
from db.connection import connect
from db.selection import query_text, select_images
from pipeline.predictor import Predictor
from unet.checkpoint import load_checkpoint
from unet.inference import predict_logits

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
SMALL = [
    "--size", "128", "--base", "4", "--epochs", "2", "--batch-size", "10", "--seed", "9", "--learning-rate", "5e-6",
]  # fmt: skip
PHANTOMS = {"convention": "clear_field", "provenance": "phantom", "source": "all"}
FLOAT32 = ["--precision", "float32"]


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def check_equal_weights(one, other):
    """Hold convolutions against each other more strictly than what AdamW moves: see tests/commands/test_torchrun.py."""
    for name, weight in load_checkpoint(one / "last.pt").weights.items():
        away = {"rtol": 0.0, "atol": 2e-5} if weight.ndim == 4 else {"rtol": 1e-4, "atol": 5e-5}
        own = load_checkpoint(other / "last.pt").weights[name]
        torch.testing.assert_close(own, weight, **away, msg=lambda text, name=name: f"{name}: {text}")


@pytest.fixture(scope="module")
def on_processor(phantom_db, tmp_path_factory):
    """The folder of a short training on the processor."""
    out = tmp_path_factory.mktemp("gpu") / "cpu"
    assert train.main(["--db", str(phantom_db), "--out", str(out), "--device", "cpu", *SMALL, *FLOAT32]) == 0
    return out


@pytest.fixture(scope="module")
def on_gpu(phantom_db, tmp_path_factory):
    """The folder of the same training on the GPU."""
    out = tmp_path_factory.mktemp("gpu") / "cuda"
    assert train.main(["--db", str(phantom_db), "--out", str(out), *SMALL, *FLOAT32]) == 0
    return out


def test_the_gpu_trains_the_weights_of_the_processor(on_processor, on_gpu):
    check_equal_weights(on_processor, on_gpu)
    assert json.loads((on_gpu / "config.json").read_text())["facts"]["device"] == "cuda:0"
    one, other = (rows_of(folder / "metrics.csv") for folder in (on_processor, on_gpu))
    for alone, beside in zip(one, other, strict=True):
        assert float(alone["val_loss"]) == pytest.approx(float(beside["val_loss"]), abs=1e-4)


def test_two_machines_train_them_too(on_gpu, phantom_db, tmp_path, on_two_machines):
    first, second = on_two_machines("train.py", "--db", phantom_db, "--out", tmp_path / "two", *SMALL, *FLOAT32)
    assert first.count("epoch   2/2") == 1 and second == ""
    check_equal_weights(on_gpu, tmp_path / "two")


def test_a_stopped_training_goes_on_to_nearly_the_same_weights(on_gpu, phantom_db, tmp_path, monkeypatch):
    """A GPU adds in an order that varies, so not bit for bit."""
    out = tmp_path / "stopped"
    real = train.train_one_epoch

    def once(session, progress):
        if session.trainer.epoch == 1:
            raise KeyboardInterrupt
        real(session, progress)

    monkeypatch.setattr(train, "train_one_epoch", once)
    assert train.main(["--db", str(phantom_db), "--out", str(out), *SMALL, *FLOAT32]) == 130
    monkeypatch.setattr(train, "train_one_epoch", real)
    assert train.main(["--resume", str(out)]) == 0
    check_equal_weights(on_gpu, out)


def test_it_learns_a_batch_by_heart_in_bfloat16(phantom_db, tmp_path, capsys):
    assert (
        train.main(["--db", str(phantom_db), "--out", str(tmp_path / "run"), "--overfit-batch", "--size", "128"]) == 0
    )
    out = capsys.readouterr().out
    assert "bfloat16: the GPU supports it" in out and "the set-up is sound" in out


def test_masks_and_scores_are_those_of_the_processor(trained, phantom_db, tmp_path):
    scores = {}
    for device in ("cpu", "cuda"):
        out = tmp_path / device
        argv = ["--checkpoint", str(trained / "best.pt"), "--split", "all", "--out", str(out), "--device", device]
        assert evaluate.main([*argv, *FLOAT32]) == 0
        scores[device] = rows_of(out / "scores.csv")
    assert len({row["file"] for row in scores["cpu"]}) == 40
    for one, other in zip(scores["cpu"], scores["cuda"], strict=True):
        assert (one["file"], one["structure"]) == (other["file"], other["structure"])
        assert float(one["dice"]) == pytest.approx(float(other["dice"]), abs=2e-3)


def test_float32_is_float32(network):
    """A GPU would round to 10 bits in convolutions unless told otherwise."""
    film = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    one, other = (predict_logits(Predictor(network, name, "float32").model, film).cpu() for name in ("cpu", "cuda"))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_predictions_comparisons_and_explanations_are_those_of_the_processor(trained, phantom_db, tmp_path, capsys):
    with closing(connect(phantom_db)) as connection:
        films = [str(record.path) for record in select_images(connection, query_text("segmentation_images"), PHANTOMS)]
    masks, said = {}, {}
    for device in ("cpu", "cuda"):
        out = tmp_path / device
        argv = ["--checkpoint", str(trained / "best.pt"), "--device", device, *FLOAT32]
        assert predict.main([*films[:12], "--out", str(out), *argv]) == 0
        found = sorted((out / "masks").rglob("*.png"))
        masks[device] = [np.asarray(Image.open(path)) for path in found]
        capsys.readouterr()
        assert predict.main([*films[:2], "--explain", "left_lung", "--out", str(out), *argv]) == 0
        assert predict.main(["--compare", *films[:2], "--out", str(tmp_path / f"{device}-change"), *argv]) == 0
        said[device] = [float(number) for number in re.findall(r"\d+\.\d+", capsys.readouterr().out)]
    assert len(masks["cpu"]) == 4 * 12
    away = [np.mean(one != other) for one, other in zip(masks["cpu"], masks["cuda"], strict=True)]
    assert max(away) < 1e-3
    assert said["cpu"] == pytest.approx(said["cuda"], abs=0.02)
