"""Means of weights: over the steps of a training, smoother than any single step; and between its start and its result."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class WeightAverage:
    """Exponential moving average of a model's weights and norm statistics (Polyak & Juditsky 1992, in its decaying form).

    `model` is a copy in evaluation mode that always holds the average. The decay grows from 2 / 11 to `decay`, so that
    the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for average, now in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if average.dtype.is_floating_point:
                average.lerp_(now, 1 - decay)
            else:
                average.copy_(now)


@torch.no_grad()
def between(start: Mapping[str, Tensor], model: nn.Module, share: float) -> nn.Module:
    """Return a copy of the model whose weights lie between `start` (share 0) and its own (1).

    A network fine-tuned on other films forgets the old ones; a point on the straight line between both sets of weights keeps
    most of both skills (Wortsman et al. 2022, WiSE-FT). start: a state dict of the same network, on any device; KeyError where
    it lacks a weight. Counters (not floating point) stay the model's.
    """
    mixed = copy.deepcopy(model)
    for name, own in mixed.state_dict().items():
        if own.dtype.is_floating_point:
            own.copy_(torch.lerp(start[name].to(own.device), own, share))
    return mixed
