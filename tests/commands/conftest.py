"""One small trained network and one evaluation of it, shared by the tests of the commands."""

import pytest

import evaluate
import train
from unet import quality

SMALL = (
    "--size", "64", "--base", "8", "--epochs", "8", "--precision", "float32", "--device", "cpu", "--batch-size", "4",
    "--learning-rate", "0.01", "--seed", "9",
)  # fmt: skip


@pytest.fixture(scope="session")
def small_training():
    """The flags of a training that takes seconds."""
    return list(SMALL)


@pytest.fixture(scope="session")
def trained(phantom_db, small_training, tmp_path_factory):
    """The folder of a training on the small phantom films."""
    out = tmp_path_factory.mktemp("runs") / "run"
    patch = pytest.MonkeyPatch()
    patch.setattr(quality, "LEAST_PATIENTS", 2)  # so few films are in its validation split
    assert train.main(["--db", str(phantom_db), "--out", str(out), *small_training]) == 0
    patch.undo()
    return out


@pytest.fixture(scope="session")
def evaluated(trained):
    """The folder of an evaluation of all films with it, masks saved."""
    out = trained / "all"
    argv = ["--checkpoint", str(trained / "best.pt"), "--split", "all", "--save-masks", "--out", str(out)]
    assert evaluate.main([*argv, "--precision", "float32"]) == 0
    return out
