"""A moving average of the weights: smoother than any single step, and what is validated and kept."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of a model's weights and norm statistics (Polyak & Juditsky 1992, in its decaying form).

    `model` is a copy in evaluation mode that always holds the average. The decay grows from 0 to `decay`, so that the first
    steps do not keep the random start alive.
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
