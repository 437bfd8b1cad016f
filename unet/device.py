"""Where and in which number format the network runs: looked up, measured, and said."""

import ctypes
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn

from unet.blocks import DoubleConv
from unet.distributed import size

PRECISIONS = ("auto", "float32", "bfloat16")
TRIALS = 5  # of each format
WORTH_IT = 1.2  # bfloat16 must be this much faster than float32, or the simpler format is kept
HOPELESS = 0.5  # below, no third trial: without AVX-512 bfloat16 has a tenth of the speed, and five trials take long


def choose_device(name: str = "auto") -> torch.device:
    """Return the named device, or for 'auto' CUDA, else MPS, else the processor; ValueError for one that is not there.

    A GPU comes with its number, since the current one is a matter of each thread.
    """
    if name != "auto":
        try:
            device = torch.empty(1, device=name).device
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = str(error).splitlines()[0].split(". ")[0]
            raise ValueError(f"--device {name}: not to be had here ({reason}); try auto or cpu") from error
        if device.type not in ("cpu", "cuda", "mps"):
            raise ValueError(f"--device {name}: nothing is computed there; try auto or cpu")
        if size() > 1 and (device.type == "mps" or torch.device(name).index is not None):
            raise ValueError(f"--device {name}: several processes cannot share it; try auto, cuda or cpu")
        return device
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if torch.backends.mps.is_available() and size() == 1:  # neither gloo nor NCCL carries its tensors
        return torch.device("mps")
    return torch.device("cpu")


def choose_precision(name: str, device: torch.device) -> tuple[str, str]:
    """Return the precision to use, float32 or bfloat16, and a sentence that says why.

    On a processor 'auto' times one convolution block in both formats, in one or two seconds.
    """
    if name != "auto":
        return name, f"{name} as asked"
    if device.type == "cuda":
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
        return (
            ("bfloat16", "bfloat16: the GPU supports it")
            if supported
            else ("float32", "float32: the GPU has no bfloat16")
        )
    if device.type != "cpu":
        return "float32", f"float32: bfloat16 is not tried on {device.type}"
    ratio = bfloat16_gain()
    chosen = "bfloat16" if ratio > WORTH_IT else "float32"
    return chosen, f"{chosen}: bfloat16 measured {ratio:.1f} times as fast as float32 here"


def bfloat16_gain() -> float:
    """Return how many times as fast as float32 a convolution block is in bfloat16 on this processor.

    Other work on the machine must not decide: what counts is the processor time of one core, since several wait for each other
    where one is busy elsewhere, and the least of several trials, taken in turn. Of a HOPELESS bfloat16 two trials are enough.
    """
    seconds = {"float32": float("inf"), "bfloat16": float("inf")}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for trial in range(TRIALS):
            for number in seconds:
                seconds[number] = min(seconds[number], _block_seconds(number))
            gain = seconds["float32"] / seconds["bfloat16"]
            if trial and gain < HOPELESS:  # the first trial of a format makes its kernels
                break
    finally:
        torch.set_num_threads(threads)
    return gain


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Return the context in which convolutions run in the precision; losses and norms stay in float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def film_threads(device: torch.device) -> Iterator[int]:
    """Yield the number of films to work on at once; meanwhile the network itself uses one processor core.

    Several films, each on one core, keep all cores busy through decoding, network and writing; one film on all cores does not.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads if device.type == "cpu" else max(4, threads)  # beside a GPU the threads decode and write
    finally:
        torch.set_num_threads(threads)


def prepare_model(model: nn.Module, device: torch.device) -> nn.Module:
    """Move a model to the device, channels last: the memory order in which convolutions are fastest.

    From then on a GPU multiplies float32 whole: by itself it would take 10 bits (TF32). For speed there is bfloat16.
    """
    torch.backends.cudnn.allow_tf32 = False
    return model.to(device=device, memory_format=torch.channels_last)


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed blocks instead of handing them back and faulting them in again at every step.

    Without it a training step takes up to twice as long. Returns False where the C library has no such switch.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    m_trim_threshold, m_mmap_threshold = -1, -3  # names and numbers of malloc.h
    most = 2**31 - 1
    return bool(mallopt(m_mmap_threshold, most // 2) and mallopt(m_trim_threshold, most))


def _block_seconds(precision: str) -> float:
    """Return the processor time of one forward and backward pass of a block of the network's middle size."""
    block = DoubleConv(64, 64).to(memory_format=torch.channels_last)
    images = torch.ones(2, 64, 64, 64).contiguous(memory_format=torch.channels_last).requires_grad_()
    start = time.process_time()
    with autocast(torch.device("cpu"), precision):
        out = block(images)
    out.float().sum().backward()
    return time.process_time() - start
