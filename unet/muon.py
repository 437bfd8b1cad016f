"""Muon (Jordan et al. 2024): the step of a convolution's weights is an orthogonal matrix, equally long in all directions.

A gradient is dominated by a few directions, and little is learnt along the others. Here a layer's weights form one matrix, output
channels by inputs of one output channel, and its step is the orthogonal matrix nearest to its averaged gradient. All other
parameters (such as norms, and the last layer, whose rows are the structures) stay with AdamW. A transposed convolution stores its
weights as (in, out, height, width), the transposed matrix; the orthogonal matrix nearest to it is transposed likewise, but
`orthogonal` makes it longer by the rows and columns that it is stored with.
torch.optim.Muon takes only two-dimensional weights and multiplies in bfloat16, whatever the processor.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

OPTIMIZERS = ("muon", "adamw")  # muon: for the convolutions, with AdamW for other parameters; adamw: for all
MOMENTUM = 0.95
TIMES = 20.0  # Muon's rate / AdamW's rate; chosen on validation films, 5 is a little worse
ROUNDS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: raise small singular values fast, keep large ones near 1


class Muon(torch.optim.Optimizer):
    """The optimiser of convolution weights (out, in, height, width); lr is the rate of the AdamW beside it."""

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, weight_decay: float):
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            rate = TIMES * group["lr"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "average" not in state:
                    state["average"] = torch.zeros_like(weight)
                average = state["average"]
                average.lerp_(weight.grad, 1 - MOMENTUM)
                ahead = torch.lerp(weight.grad, average, MOMENTUM)  # Nesterov's
                weight.mul_(1 - rate * group["weight_decay"]).add_(orthogonal(ahead), alpha=-rate)


def orthogonal(gradient: Tensor) -> Tensor:
    """Return roughly the orthogonal matrix nearest to a gradient (out, in, height, width); longer with more rows than columns.

    The singular values s of G / |G| become s p(s^2), between about 0.7 and 1.2 unless s is below about 0.003; p is a product of
    ROUNDS polynomials (after Newton and Schulz), computed from the small square G G^T alone, so that G itself is multiplied only
    twice. A gradient of 0 stays 0.
    """
    out, into, height, width = gradient.shape
    matrix = gradient.permute(0, 2, 3, 1).reshape(out, -1)  # channels last: no copy
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / wide.norm().clamp(min=1e-12)
    square = wide @ wide.T
    a, b, c = QUINTIC
    product = None
    for rounds_left in reversed(range(ROUNDS)):
        factor = torch.addmm(square, square, square, beta=b, alpha=c)  # a + b s^2 + c s^4
        factor.diagonal().add_(a)
        product = factor if product is None else product @ factor
        if rounds_left:
            square = factor @ square @ factor
    wide = product @ wide
    matrix = wide if matrix.shape[0] <= matrix.shape[1] else wide.T
    longer = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
    return longer * matrix.reshape(out, height, width, into).permute(0, 3, 1, 2)


def matrices_and_others(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters for Muon, all convolutions' weights but the head's, and those for AdamW."""
    for_muon = [
        weight for name, weight in model.named_parameters() if weight.ndim == 4 and not name.startswith("head.")
    ]
    chosen = {id(weight) for weight in for_muon}
    return for_muon, [weight for weight in model.parameters() if id(weight) not in chosen]


def build_optimizers(
    model: nn.Module, name: str, learning_rate: float, weight_decay: float, fused: bool
) -> list[torch.optim.Optimizer]:
    """Return the optimisers of a model's weights; each weight belongs to exactly one.

    name: of OPTIMIZERS. learning_rate: of AdamW. fused: AdamW in one pass over the memory.
    """
    matrices, others = matrices_and_others(model) if name == "muon" else ([], list(model.parameters()))
    adamw = torch.optim.AdamW(others, lr=learning_rate, weight_decay=weight_decay, fused=fused)
    return [adamw, Muon(matrices, learning_rate, weight_decay)] if matrices else [adamw]
