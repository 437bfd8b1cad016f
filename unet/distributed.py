"""One training or prediction shared by the processes that torchrun starts; in a single process everything here does nothing.

Every process holds the whole network and takes every size-th film. What couples the films of a batch is computed over all
processes: batch norm statistics, weight of the loss, gradient. So a step is that of one process with the same batch, up to the
rounding of sums; at the default learning rate a training amplifies that rounding, as it does that of another number of threads.
gloo carries tensors on processors, NCCL those on GPUs; where processes must share a GPU, which NCCL refuses, gloo carries all.
"""

import atexit
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TextIO, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")
FAILED = 2  # exit status of the others where the first process has said what is wrong
PATIENCE = timedelta(days=1)  # the first process may decode films for hours; torchrun notices a process that died


def join() -> None:
    """Join the other processes where torchrun has started several; from then on only the first prints to stdout."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    backend = "gloo"
    if torch.cuda.is_available():
        gpus = torch.cuda.device_count()
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpus)
        if int(os.environ["LOCAL_WORLD_SIZE"]) <= gpus:
            backend = "cpu:gloo,cuda:nccl"
    # torch imports this module at some point, and its functions bind the group of that moment as their default. Imported now,
    # they bind none; imported later, they would keep the group past its end, and its threads would abort the interpreter at exit
    importlib.import_module("torch.distributed.nn.functional")
    dist.init_process_group(backend, timeout=PATIENCE)
    atexit.register(dist.destroy_process_group)
    chosen = sorted(set(gather([backend])))
    if len(chosen) > 1:
        raise ValueError(
            f"some machines would send by {', others by '.join(chosen)}: start as many processes as each has GPUs"
        )
    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  for the life of the process


def size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Tell whether this is the process that writes files and rows for all."""
    return not dist.is_initialized() or dist.get_rank() == 0


def progress_stream() -> TextIO:
    """Return where to show progress: stderr in the first process, in the others their stdout, which leads nowhere."""
    return sys.stderr if is_first() else sys.stdout


def shard() -> slice:
    """Return the slice of this process's items in a list that all processes have: films[shard()]."""
    return slice(dist.get_rank(), None, size()) if dist.is_initialized() else slice(None)


def check_shares(films: int, batch_size: int) -> None:
    """Raise ValueError where some batch of an epoch has fewer films than there are processes."""
    smallest = films % batch_size or min(films, batch_size)
    if smallest < size():
        raise ValueError(
            f"--batch-size {batch_size}: of {films} films the last batch has {smallest}, fewer than the {size()} processes; "
            f"try another --batch-size, or fewer processes"
        )


def from_first(make: Callable[[], T]) -> T:
    """Return in every process what the first one makes; what it raises is raised there, and the others end without a word."""
    if size() == 1:
        return make()
    made, error = None, None
    if is_first():
        try:
            made = make()
        except Exception as raised:
            error = raised
    told: list[Any] = [made, error is not None]
    dist.broadcast_object_list(told, device=torch.device("cpu"))
    if error is not None:
        raise error
    if told[1]:
        sys.exit(FAILED)
    return told[0]


def first_then_others(make: Callable[[], T]) -> T:
    """Call `make` in every process, first in the first one, so that the others find what it has written."""
    made: list[T] = []
    from_first(lambda: made.append(make()))
    return made[0] if is_first() else make()


def gather(items: Sequence[T]) -> list[T]:
    """Return the items of all processes in each of them, once the last process has got this far."""
    if size() == 1:
        return list(items)
    parts: list[Any] = [None] * size()
    dist.all_gather_object(parts, list(items))
    return [item for part in parts for item in part]


def sum_of(value: float) -> float:
    """Return the sum of a number over the processes."""
    if size() == 1:
        return value
    whole = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(whole)
    return float(whole)


def interleave(rows: Sequence[Tensor], width: int) -> Tensor:
    """Put the rows of all processes back into the order of the list that `shard` cut: parts (n, width) to (films, width)."""
    own = torch.cat([part.cpu() for part in rows]) if rows else torch.empty(0, width)
    if size() == 1:
        return own
    whole = torch.zeros(int(sum_of(len(own))), width, dtype=own.dtype)
    whole[shard()] = own
    dist.all_reduce(whole)  # each row is 0 in all processes but one, so the sum is exact
    return whole


def loss_share(known: Tensor) -> float:
    """Return the weight of this process's mean loss in the batch's mean: its share of the films with something drawn.

    known: (B, C) of this process's films. The weighted losses of all processes add up to the batch's loss; so do the
    gradients.
    """
    if size() == 1:
        return 1.0
    films = float((known.sum(dim=1) > 0).sum())
    return films / max(sum_of(films), 1.0)


def sum_gradients(model: nn.Module) -> None:
    """Replace every gradient by its sum over the processes, in one message."""
    if size() == 1:
        return
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    for gradient, summed in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(summed.view_as(gradient))


def share_norms(model: nn.Module) -> nn.Module:
    """Let the batch norms of a model normalise over the films of all processes; names and weights stay as they are."""
    if size() > 1:
        for module in model.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SharedBatchNorm
    return model


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm (Ioffe & Szegedy 2015) whose mean and variance in training are those of the films of all processes.

    torch's own SyncBatchNorm runs on GPUs only.
    """

    def forward(self, images: Tensor) -> Tensor:
        if not self.training:
            return super().forward(images)
        x = images if images.dtype == torch.float64 else images.float()
        count = x.numel() // x.shape[1]
        own_var, own_mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        counted = torch.cat([own_mean * count, own_mean.new_tensor([count])])
        sums, whole = _Sum.apply(counted).split([self.num_features, 1])
        mean = sums / whole
        # variance within each process plus that of the means (Chan et al. 1983): avoids subtracting large numbers
        var = _Sum.apply((own_var + (own_mean - mean) ** 2) * count) / whole
        self._follow(mean.detach(), var.detach() * whole.detach() / (whole.detach() - 1))
        scale = self.weight * (var + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (x * scale[:, None, None] + shift[:, None, None]).to(images.dtype)

    def _follow(self, mean: Tensor, unbiased_var: Tensor) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(unbiased_var, self.momentum)
        self.num_batches_tracked += 1


class _Sum(torch.autograd.Function):
    """The sum of a tensor over the processes; all of them use the sum, so its gradient is summed over them too."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        whole = own.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Sum the processes' gradients with respect to their common sum."""
        whole = gradient.contiguous().clone()
        dist.all_reduce(whole)
        return whole
