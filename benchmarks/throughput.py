"""Training speed, latency and memory of the network as it is trained, against the plain way, in one run.

    python -m benchmarks.throughput [DEVICE]      # cpu; cuda

The plain way is the same network in float32, contiguous memory, each film augmented by itself. Every figure is the median of the
steps of one process of its own, so that one's memory does not help the other; read the ratios, the seconds depend on the machine.
"""

import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from data.augment import AugmentConfig, apply, draw_parameters
from unet.device import autocast, choose_device, choose_precision, keep_freed_memory, prepare_model
from unet.losses import dice_bce_loss
from unet.model import UNet, UNetConfig, with_union
from unet.muon import build_optimizers

BATCH, STEPS, WARMUP = 8, 8, 2


def main(device: str = "cpu") -> None:
    """Measure both ways at 256 and 512 pixels and print one table."""
    precision, reason = choose_precision("auto", choose_device(device))
    print(f"{device}, {torch.get_num_threads()} threads; {reason}; batch {BATCH}; medians of {STEPS} steps")
    print(f"{'':24s} {'films/s':>8s} {'film ms':>8s} {'peak MiB':>9s} {'faults/step':>12s}")
    for size in (256, 512):
        ours, plain = (measure_apart(way, size, precision, device) for way in ("ours", "plain"))
        for name, row in ((f"ours, {size} px", ours), (f"plain, {size} px", plain)):
            print(
                f"{name:24s} {row['films_per_second']:8.1f} {row['latency_ms']:8.1f} {row['peak_mib']:9.0f} {row['faults']:12.0f}"
            )
        faster, quicker = ours["films_per_second"] / plain["films_per_second"], plain["latency_ms"] / ours["latency_ms"]
        print(f"{f'ratio, {size} px':24s} {faster:7.2f}x {quicker:7.2f}x {ours['peak_mib'] / plain['peak_mib']:8.2f}x")


def measure_apart(way: str, size: int, precision: str, device: str) -> dict:
    """Measure one way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.throughput", way, str(size), precision, device]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(way: str, size: int, precision: str, device: torch.device) -> dict:
    """Return films per second of training, milliseconds of one film's prediction, peak memory and page faults per step.

    The memory is that of the process or, on a GPU, what its tensors take there.
    """
    ours = way == "ours"
    if ours:
        keep_freed_memory()
    torch.manual_seed(0)
    order = torch.channels_last if ours else torch.contiguous_format
    number = precision if ours else "float32"
    model = prepare_model(UNet(UNetConfig()), device).to(memory_format=order)
    optimizers = build_optimizers(model, "muon", learning_rate=1e-3, weight_decay=1e-2, fused=ours)
    images, masks = torch.rand(BATCH, 1, size, size), torch.rand(BATCH, 4, size, size).round()
    seconds, faults = [], []
    for step in range(WARMUP + STEPS):
        started, faults_before = time.perf_counter(), page_faults()
        batch = augment(images, masks, step, device, together=ours)
        train_step(model, optimizers, batch, order, number)
        wait(device)
        seconds.append(time.perf_counter() - started)
        faults.append(page_faults() - faults_before)
    return {
        "films_per_second": BATCH / statistics.median(seconds[WARMUP:]),
        "latency_ms": 1000 * latency(model.eval(), images[:1].to(device), order, number),
        "peak_mib": peak_bytes(device) / 2**20,
        "faults": statistics.median(faults[WARMUP:]),
    }


def augment(images, masks, step: int, device: torch.device, together: bool):
    """Augment a batch at once where the network is, or film by film on the processor and then put together."""
    generator = torch.Generator().manual_seed(step)
    if together:
        return apply(images.to(device), masks.to(device), draw_parameters(len(images), AugmentConfig(), generator))
    films = [
        apply(images[i : i + 1], masks[i : i + 1], draw_parameters(1, AugmentConfig(), generator))
        for i in range(len(images))
    ]
    return torch.cat([film[0] for film in films]).to(device), torch.cat([film[1] for film in films]).to(device)


def train_step(model, optimizers, batch, order: torch.memory_format, number: str) -> None:
    """Forward, Dice + BCE, backward, Muon and AdamW."""
    images, masks = batch
    with autocast(images.device, number):
        logits = model(images.contiguous(memory_format=order))
    loss = dice_bce_loss(with_union(logits.float()), masks, torch.ones(len(images), 4, device=images.device))
    model.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()


@torch.inference_mode()
def latency(model, image, order: torch.memory_format, number: str) -> float:
    """Return the median seconds of one film through the network."""
    seconds = []
    for _ in range(12):
        started = time.perf_counter()
        with autocast(image.device, number):
            model(image.contiguous(memory_format=order))
        wait(image.device)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:])


def wait(device: torch.device) -> None:
    """Return once a GPU has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(device: torch.device) -> int:
    """Return the largest memory so far: of the process, on a GPU of the tensors there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def page_faults() -> int:
    """Return how many fresh pages of memory this process has been given so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


if __name__ == "__main__":
    if len(sys.argv) == 5:
        way, size, precision, device = sys.argv[1:]
        print(json.dumps(measure(way, int(size), precision, choose_device(device))))
    else:
        main(*sys.argv[1:])
