import platform
import time

import pytest
import torch

from unet import device
from unet.device import autocast, choose_device, choose_precision, keep_freed_memory, prepare_model
from unet.model import UNet, UNetConfig


def test_the_choice_of_precision_is_said():
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == ("float32", "float32 as asked")
    chosen, reason = choose_precision("auto", cpu)
    assert chosen in ("float32", "bfloat16") and reason.startswith(chosen) and "times as fast" in reason


def test_other_work_on_the_machine_does_not_choose_the_precision(monkeypatch):
    """Cores wait for a busy one, so one core is timed; of each format the least disturbed trial counts."""
    times = {"float32": iter([5.0, 2.0, 9.0, 2.5, 7.0]), "bfloat16": iter([1.0, 8.0, 1.25, 3.0, 9.0])}
    threads, seen = torch.get_num_threads(), set()

    def timed(precision):
        seen.add(torch.get_num_threads())
        return next(times[precision])

    monkeypatch.setattr(device, "_block_seconds", timed)
    torch.set_num_threads(2)
    try:
        assert choose_precision("auto", torch.device("cpu"))[0] == "bfloat16"
        assert seen == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert all(next(own, None) is None for own in times.values())
    times.update(float32=iter([1.0] * 5), bfloat16=iter([0.9] * 5))
    assert choose_precision("auto", torch.device("cpu"))[0] == "float32"  # no gain that is worth it


def test_a_format_of_less_than_half_the_speed_is_tried_twice(monkeypatch):
    tried = []
    times = {"float32": 1.0, "bfloat16": 10.0}
    monkeypatch.setattr(device, "_block_seconds", lambda precision: tried.append(precision) or times[precision])
    chosen, reason = choose_precision("auto", torch.device("cpu"))
    assert chosen == "float32" and "0.1 times" in reason and tried == 2 * ["float32", "bfloat16"]
    times["bfloat16"] = 1.9
    assert choose_precision("auto", torch.device("cpu"))[0] == "float32" and len(tried) == 4 + 2 * device.TRIALS


def test_waiting_is_no_processor_time(monkeypatch):
    usual = device._block_seconds("float32")
    monkeypatch.setattr(
        device.DoubleConv, "forward", lambda self, x, own=device.DoubleConv.forward: time.sleep(1) or own(self, x)
    )
    assert device._block_seconds("float32") < usual + 0.9


def test_bfloat16_gives_nearly_the_same_logits():
    torch.manual_seed(0)
    model = prepare_model(UNet(UNetConfig(base=8, depth=2)), choose_device("cpu")).eval()
    film = torch.rand(1, 1, 32, 32)
    with autocast(torch.device("cpu"), "bfloat16"):
        half = model(film)
    whole = model(film)
    assert half.dtype == torch.bfloat16 and torch.allclose(half.float(), whole, atol=0.1, rtol=0.1)
    assert not torch.equal(half.float(), whole)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a switch of glibc")
def test_the_memory_switch_is_taken_where_there_is_one():
    assert keep_freed_memory() is True


def test_a_gpu_is_told_to_multiply_float32_whole():
    torch.backends.cudnn.allow_tf32 = True
    prepare_model(UNet(UNetConfig(base=4, depth=1)), torch.device("cpu"))
    assert torch.backends.cudnn.allow_tf32 is False


@pytest.mark.parametrize("supported, chosen", [(True, "bfloat16"), (False, "float32")])
def test_bfloat16_that_a_gpu_only_imitates_is_not_chosen(monkeypatch, supported, chosen):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or supported
    )
    assert choose_precision("auto", torch.device("cuda"))[0] == chosen


def test_nothing_is_computed_where_there_are_only_shapes():
    with pytest.raises(ValueError, match="--device meta: nothing is computed there; try auto or cpu"):
        choose_device("meta")


def test_several_processes_take_no_device_that_they_cannot_share(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "mps"
    monkeypatch.setattr(device, "size", lambda: 2)
    assert choose_device("auto").type == choose_device("cpu").type == "cpu"
    monkeypatch.setattr(torch, "empty", lambda count, device: torch.zeros(count))  # as if there were several GPUs
    with pytest.raises(ValueError, match="--device cuda:1: several processes cannot share it; try auto, cuda or cpu"):
        choose_device("cuda:1")


@pytest.mark.parametrize("name", ["foo", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_a_wrong_call(name):
    with pytest.raises(ValueError, match=f"--device {name}: not to be had here") as refused:
        choose_device(name)
    assert len(str(refused.value)) < 350
