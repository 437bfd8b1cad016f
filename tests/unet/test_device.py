import platform

import pytest
import torch

from unet.device import autocast, choose_device, choose_precision, keep_freed_memory, prepare_model
from unet.model import UNet, UNetConfig


def test_the_choice_of_precision_is_said():
    cpu = torch.device("cpu")
    assert choose_precision("float32", cpu) == ("float32", "float32 as asked")
    chosen, reason = choose_precision("auto", cpu)
    assert chosen in ("float32", "bfloat16") and reason.startswith(chosen) and "times as fast" in reason


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


@pytest.mark.parametrize("name", ["foo", "cuda:99"])
def test_a_device_that_is_not_there_is_a_wrong_call(name):
    with pytest.raises(ValueError, match=f"--device {name}: not to be had here"):
        choose_device(name)
