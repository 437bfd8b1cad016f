import io
import os

import pytest
import torch

from unet.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from unet.model import UNet, UNetConfig


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


@pytest.fixture
def checkpoint():
    config = UNetConfig(base=4, depth=1)
    weights = UNet(config).state_dict()
    return Checkpoint(config, weights, {"size": 64}, {"seed": 3}, ["right_lung", "left_lung", "heart"], {"epoch": 2})


def written(path, checkpoint):
    with open(path, "wb") as file:
        save_checkpoint(file, checkpoint)
    return path


def test_what_was_saved_is_what_is_loaded(tmp_path, checkpoint):
    loaded = load_checkpoint(written(tmp_path / "best.pt", checkpoint))
    film = torch.rand(1, 1, 20, 24)
    assert torch.equal(loaded.build()(film), checkpoint.build()(film))
    assert (loaded.model, loaded.preprocessing, loaded.training) == (checkpoint.model, {"size": 64}, {"seed": 3})
    assert not loaded.build().training


def test_a_checkpoint_that_carries_code_is_refused_without_running_it(tmp_path, checkpoint):
    marker = tmp_path / "the code ran"
    torch.save({"format": "x", "evil": Payload(str(marker))}, tmp_path / "evil.pt")
    with pytest.raises(ValueError, match="evil.pt.*carries code, which is not run"):
        load_checkpoint(tmp_path / "evil.pt")
    assert not marker.exists()


def test_truncated_foreign_and_missing_files_are_named(tmp_path, checkpoint):
    whole = written(tmp_path / "best.pt", checkpoint).read_bytes()
    for name, content in (("half.pt", whole[: len(whole) // 2]), ("empty.pt", b""), ("text.pt", b"hello " * 50)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            load_checkpoint(tmp_path / name)
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="wanted 'lung-segmentation checkpoint 1'"):
        load_checkpoint(tmp_path / "other.pt")
    with pytest.raises(FileNotFoundError, match="python train.py"):
        load_checkpoint(tmp_path / "none.pt")


def test_weights_of_another_network_and_nan_are_refused(tmp_path, checkpoint):
    checkpoint.weights["head.bias"] = torch.zeros(99)
    with pytest.raises(ValueError, match="do not fit together"):
        load_checkpoint(written(tmp_path / "a.pt", checkpoint))
    checkpoint.weights["head.bias"] = torch.full((12,), float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        load_checkpoint(written(tmp_path / "b.pt", checkpoint))


def test_a_newer_field_is_an_error_not_a_guess(tmp_path, checkpoint):
    buffer = io.BytesIO()
    save_checkpoint(buffer, checkpoint)
    content = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    torch.save({**content, "attention": True}, tmp_path / "newer.pt")
    with pytest.raises(ValueError, match="do not fit together"):
        load_checkpoint(tmp_path / "newer.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"base": 4000, "depth": 12}}, "in the file"),
        ({"model": {"base": 10**9}}, "base of the network"),
        ({"model": {"base": "many"}}, "do not fit together"),
        ({"model": {"depth": 4096}}, "goes down 4096 steps, wanted 16 at most"),
        ({"model": {"dropout": 2.0}}, "do not fit together"),
        ({"temperature": {"heart": 10**400}}, "temperature of heart is 1000"),
        ({"model": {"attention": True}}, "do not fit together"),
        ({"structures": ["lungs"]}, "1 structures, 3 channels"),
        ({"weights": "none"}, "do not fit together"),
        ({"temperature": {"heart": 0.0}}, "temperature of heart is 0.0"),
        ({"temperature": {"heart": float("nan")}}, "temperature of heart is nan"),
        ({"threshold": {"heart": 1.5}}, "threshold of heart is 1.5"),
        ({"threshold": {"heart": "half"}}, "do not fit together"),
        ({"threshold": [0.5]}, "do not fit together"),
        ({"structures": "abc"}, "structures is a str, wanted a list"),
        ({"training": None}, "training is a NoneType, wanted a dict"),
        ({"quality": [0.9]}, "quality is a list, wanted a dict"),
        ({"learnt_from": "abc"}, "learnt_from is a str, wanted a list"),
        ({"learnt_from": [["abc"]]}, "learnt_from does not name films"),
    ],
)
def test_a_file_that_names_a_network_it_does_not_hold_is_refused_without_building_it(
    tmp_path, checkpoint, change, message
):
    content = torch.load(written(tmp_path / "best.pt", checkpoint), weights_only=True)
    torch.save({**content, **change}, tmp_path / "odd.pt")
    with pytest.raises(ValueError, match=message):
        load_checkpoint(tmp_path / "odd.pt")
