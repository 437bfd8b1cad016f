"""LoRA by hand (Hu et al. 2021, arXiv 2106.09685): a frozen linear layer plus a trainable product of two thin matrices."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F


class LoRALinear(nn.Module):
    """y = W x + b + (alpha / rank) B A x, where W and b are frozen, A is (rank, in) and B is (out, rank).

    B starts at zero, so the layer starts as the dense one. A starts as nn.Linear starts its weights.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        if not 1 <= rank <= min(base.in_features, base.out_features):
            shape = f"{base.out_features} x {base.in_features}"
            raise ValueError(f"LoRALinear: rank {rank} for a {shape} layer; wanted 1 <= rank <= the smaller side")
        self.base = base.requires_grad_(False)
        self.rank, self.scale = rank, alpha / rank
        self.A = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.B = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.weight_before_merge: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) -> (..., out)."""
        y = self.base(x)
        return y if self.merged else y + F.linear(F.linear(x, self.A), self.B) * self.scale

    @property
    def merged(self) -> bool:
        """Whether the product is inside W at the moment."""
        return self.weight_before_merge is not None

    def delta(self) -> torch.Tensor:
        """Return what the adapter adds to W: (out, in), of rank `rank` at most."""
        return self.scale * self.B @ self.A

    @torch.no_grad()
    def merge(self) -> None:
        """Add the product to W, so that running costs no more than the dense layer. Nothing happens when merged already."""
        if not self.merged:
            # W is kept, not recomputed by subtraction: in bfloat16 adding and subtracting would not give W back.
            self.weight_before_merge = self.base.weight.detach().clone()
            self.base.weight += self.delta()

    @torch.no_grad()
    def unmerge(self) -> None:
        """Put back W bit by bit. Nothing happens when not merged."""
        if self.weight_before_merge is not None:
            self.base.weight.copy_(self.weight_before_merge)
            self.weight_before_merge = None


def add_lora(model: nn.Module, targets: Iterable[str], rank: int, alpha: float) -> list[str]:
    """Freeze the model, and replace every nn.Linear whose name's last part is in targets by a LoRALinear, in place.

    Returns the names replaced. ValueError when a target matches no layer: a spelling mistake would train nothing.
    """
    wanted = tuple(targets)
    model.requires_grad_(False)
    names = [
        name
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear) and name.rpartition(".")[2] in wanted
    ]
    missing = set(wanted) - {name.rpartition(".")[2] for name in names}
    if missing:
        raise ValueError(f"add_lora: no linear layer is called {', '.join(sorted(missing))}; see model.named_modules()")
    for name in names:
        parent_name, _, last = name.rpartition(".")
        parent = model.get_submodule(parent_name)
        setattr(parent, last, LoRALinear(getattr(parent, last), rank, alpha))
    return names
