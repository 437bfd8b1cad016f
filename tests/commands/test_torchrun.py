"""Two processes that torchrun starts do the work of one, with the same results and everything written once."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from db.connection import connect
from unet.checkpoint import load_checkpoint
from unet.model import UNet

ROOT = Path(__file__).parent.parent.parent
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
SMALL = [
    "--size", "128", "--base", "4", "--epochs", "2", "--precision", "float32", "--device", "cpu", "--batch-size", "10",
    "--seed", "9", "--learning-rate", "5e-6",
]  # fmt: skip
# Muon's weights, of the convolutions, are equal to 3e-6 after six steps, and 7e-6 at twice the rate, where the bound of 1e-5 was
# passed on one processor; meanwhile they move by MOVED and more. AdamW
# divides a gradient by its own size, so a norm's weight whose gradient is as small as the rounding of sums moves by a share of
# the learning rate that rounding decides. That gradients are equal, to 1e-12, tests/unet/test_distributed.py shows in float64.
EQUAL, ADAMW, OF_A_VARIANCE, MOVED = 1e-5, 2e-5, 1e-4, 1e-4


def call(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(phantom_db, tmp_path_factory):
    """The same small training by one process and by two; the output of the second."""
    folder = tmp_path_factory.mktemp("shared")
    call("train.py", "--db", phantom_db, "--out", folder / "one", *SMALL)
    output = call(*TORCHRUN, "train.py", "--db", phantom_db, "--out", folder / "two", *SMALL)
    return folder, output


def test_two_processes_train_the_weights_of_one(trained):
    folder, _ = trained
    one, two = load_checkpoint(folder / "one/last.pt"), load_checkpoint(folder / "two/last.pt")
    for alone, shared in ((one.weights, two.weights), (one.resume["model"], two.resume["model"])):
        for name, weight in alone.items():
            away = {"rtol": 0.0, "atol": EQUAL} if weight.ndim == 4 else {"rtol": OF_A_VARIANCE, "atol": ADAMW}
            torch.testing.assert_close(shared[name], weight, **away, msg=lambda text, name=name: f"{name}: {text}")
    torch.manual_seed(9)
    start, end = UNet(one.model).state_dict(), one.resume["model"]
    assert max(float((end[name] - start[name]).abs().max()) for name in end if end[name].ndim == 4) > MOVED


def test_what_is_written_is_written_once(trained, phantom_db):
    folder, output = trained
    assert {path.name for path in (folder / "two").iterdir()} == {path.name for path in (folder / "one").iterdir()}
    assert output.count("films to train on") == 1 and output.count("epoch   2/2") == 1
    one, two = (rows_of(folder / name / "metrics.csv") for name in ("one", "two"))
    for alone, shared in zip(one, two, strict=True):
        for column in ("train_loss", "val_loss", "val_dice_lungs", "val_dice_heart", "learning_rate"):
            assert float(shared[column]) == pytest.approx(float(alone[column]), abs=1e-4), column
    runs = connect(phantom_db).execute("SELECT * FROM run WHERE folder = ?", (str(folder / "two"),)).fetchall()
    assert [run["status"] for run in runs] == ["finished"]


def test_two_processes_predict_what_one_does(trained, tmp_path):
    folder, _ = trained
    films = tmp_path / "films"
    films.mkdir()
    for number in range(5):
        noise = np.random.default_rng(number).integers(0, 255, (90 + number, 80)).astype(np.uint8)
        Image.fromarray(noise).save(films / f"film{number}.png")
    checkpoint = ["--checkpoint", folder / "one/best.pt", "--precision", "float32", "--device", "cpu"]
    call("predict.py", films, "--out", tmp_path / "one", *checkpoint)
    output = call(*TORCHRUN, "predict.py", films, "--out", tmp_path / "two", *checkpoint)
    assert output.count("5 films done") == 1
    one, two = (
        sorted(rows_of(tmp_path / name / "predictions.csv"), key=lambda row: row["file"]) for name in ("one", "two")
    )
    assert len(one) == 5 and one == two
    masks = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one/masks").rglob("*.png"))
    assert len(masks) == 20
    for mask in masks:
        assert (tmp_path / "one" / mask).read_bytes() == (tmp_path / "two" / mask).read_bytes(), mask


def test_what_is_wrong_is_said_once(phantom_db, tmp_path):
    words = ["train.py", "--db", str(phantom_db), "--out", str(tmp_path / "run"), "--fold", "3"]
    done = subprocess.run([sys.executable, *TORCHRUN, *words], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and done.stderr.count("error: --fold 3 changes nothing without --folds") == 1
    assert "Connection closed" not in done.stderr and "RuntimeError" not in done.stderr


END = """
import importlib, sys
from pathlib import Path
import torch.distributed as dist
from unet.distributed import join, sum_of
join()
importlib.import_module("torch.distributed.nn.functional")  # as some parts of torch do once they are needed
assert sum_of(1.0) == 2.0
dist.destroy_process_group()
sys.exit(any("gloo" in task.read_text() for task in Path("/proc/self/task").glob("*/comm")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed by Linux alone")
def test_no_thread_outlives_the_group(tmp_path):
    """One that does aborts the interpreter now and then as it closes."""
    (tmp_path / "end.py").write_text(END)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *TORCHRUN, str(tmp_path / "end.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
