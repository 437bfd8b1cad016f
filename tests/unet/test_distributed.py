import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from unet import distributed
from unet.distributed import check_shares, first_then_others, from_first, interleave, is_first, loss_share, shard, size
from unet.model import UNet, UNetConfig

HERE = Path(__file__).parent
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def check_gradients(printed):
    assert "films in order: True" in printed
    assert float(re.search("largest difference: (.*)", printed)[1]) < 1e-12  # float64: nothing but rounding


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_two_processes_make_the_gradients_and_statistics_of_one(device):
    done = subprocess.run(
        [*TORCHRUN, HERE / "shared_gradients.py", device], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    check_gradients(done.stdout)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NEEDS_GPU)])
def test_so_do_two_machines(device, on_two_machines):
    first, second = on_two_machines(HERE / "shared_gradients.py", device)
    check_gradients(first)
    assert second == ""
    assert ("cuda:nccl" in first) == (device == "cuda" or torch.cuda.is_available())


def test_in_a_single_process_nothing_changes():
    known = torch.tensor([[1.0, 0], [0, 0]])
    model = distributed.share_norms(UNet(UNetConfig(base=4)))
    assert type(model.first[1]) is torch.nn.BatchNorm2d
    assert (size(), is_first(), loss_share(known), list(range(5))[shard()]) == (1, True, 1.0, [0, 1, 2, 3, 4])
    assert from_first(lambda: 7) == first_then_others(lambda: 7) == 7
    assert interleave([], 3).shape == (0, 3)


@pytest.mark.parametrize(
    "gpus, processes, backend",
    [(0, 2, "gloo"), (2, 2, "cpu:gloo,cuda:nccl"), (4, 2, "cpu:gloo,cuda:nccl"), (1, 2, "gloo")],
)
def test_nccl_carries_what_lies_on_gpus_of_ones_own(monkeypatch, gpus, processes, backend):
    """Two processes on one GPU are refused by NCCL, so gloo must carry."""
    joined, chosen = [], []
    for name, value in {"WORLD_SIZE": 4, "LOCAL_WORLD_SIZE": processes, "LOCAL_RANK": 1}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(distributed.torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(distributed.torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(distributed.torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda backend, timeout: joined.append(backend))
    monkeypatch.setattr(distributed.atexit, "register", lambda function: None)
    distributed.join()
    assert joined == [backend] and chosen == ([1 % gpus] if gpus else [])


def test_machines_that_would_send_by_different_means_are_refused(monkeypatch):
    """They would wait for each other for a day."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(distributed.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda backend, timeout: None)
    monkeypatch.setattr(distributed.atexit, "register", lambda function: None)
    monkeypatch.setattr(distributed, "gather", lambda items: [*items, "cpu:gloo,cuda:nccl"])
    with pytest.raises(
        ValueError, match="some machines would send by cpu:gloo,cuda:nccl, others by gloo: start as many"
    ):
        distributed.join()


def test_a_batch_that_leaves_a_process_without_a_film_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "size", lambda: 3)
    check_shares(24, 8)
    check_shares(27, 8)
    with pytest.raises(
        ValueError, match="of 26 films the last batch has 2, fewer than the 3 processes; try another --batch-size"
    ):
        check_shares(26, 8)
    with pytest.raises(ValueError, match="the last batch has 2"):
        check_shares(8, 2)
