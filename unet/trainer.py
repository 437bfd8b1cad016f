"""The training loop: one optimiser step, one epoch, one validation. It takes batches, wherever they come from.

Everything random is drawn from (seed, epoch), so a training that is resumed from its counters goes on as if it had not stopped;
on a processor exactly so.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unet.checkpoint import Checkpoint
from unet.device import autocast, prepare_model
from unet.distributed import interleave, loss_share, share_norms, sum_gradients, sum_of
from unet.ema import WeightAverage, between
from unet.losses import dice_bce_loss
from unet.model import UNet, UNetConfig, with_union
from unet.muon import build_optimizers
from unet.schedule import learning_rate
from unet.structures import HEART, LEFT_LUNG, LUNGS, RIGHT_LUNG, STRUCTURES


@dataclass(frozen=True)
class Hyperparameters:
    """The numbers that steer the optimiser."""

    seed: int
    optimizer: str  # see `unet.muon`
    epochs: int
    total_steps: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    average_decay: float
    dice_weight: float
    heart_weight: float = 1.0
    gradient_clip: float = 5.0  # norm; a rare bad batch must not throw the weights away


@dataclass(frozen=True)
class Validation:
    """Means over the validation films at the size of the epoch; None where no film has the structure drawn.

    dice_lungs: of the lungs as a whole, or, where no film has both, of the single lungs that are drawn. constant: indices of
    the structures, drawn on some film, whose prediction was all inside or all outside on every film.
    """

    loss: float
    dice_lungs: float | None
    dice_heart: float | None
    constant: tuple[int, ...]

    @property
    def score(self) -> float:
        """The number by which the best epoch is chosen: the mean of the Dice values there are, one at least."""
        values = [value for value in (self.dice_lungs, self.dice_heart) if value is not None]
        return sum(values) / len(values)


class Trainer:
    """A network in training: weights, their average, the optimiser and the counters; `state` and `restore` move all of it."""

    def __init__(self, config: UNetConfig, settings: Hyperparameters, device: torch.device, precision: str):
        torch.manual_seed(settings.seed)
        self.settings, self.device, self.precision = settings, device, precision
        self.model = prepare_model(share_norms(UNet(config)), device)
        self.average = WeightAverage(self.model, settings.average_decay)
        self.optimizers = build_optimizers(
            self.model,
            settings.optimizer,
            settings.learning_rate,
            settings.weight_decay,
            fused=device.type != "mps",
        )
        self.epoch = 0  # epochs that are done
        self.step = 0  # optimiser steps that are done
        self.rate = 0.0  # learning rate of the last step
        self.start: dict[str, Tensor] = {}  # trained weights that the result is drawn back to
        self.share = 1.0  # how far from them it goes

    @property
    def epoch_seed(self) -> int:
        """Seed of all that is drawn in the coming epoch, so that a training that goes on draws what it would have drawn."""
        return self.settings.seed * 1_000_003 + self.epoch

    def train_epoch(self, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Iterator[tuple[int, float]]:
        """Go once through batches of (images, masks, known); after each step yield (films, loss)."""
        torch.manual_seed(self.epoch_seed)  # for dropout
        self.model.train()
        for images, masks, known in batches:
            yield int(sum_of(len(images))), self.train_step(images, masks, known)
        self.epoch += 1

    def train_step(self, images: Tensor, masks: Tensor, known: Tensor) -> float:
        """Make one optimiser step and return its loss."""
        images, masks, known = self._place(images, masks, known)
        # learning rate
        settings = self.settings
        self.rate = learning_rate(self.step, settings.total_steps, settings.learning_rate, settings.warmup_steps)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = self.rate
        # forward
        with autocast(self.device, self.precision):
            logits = self.model(images)
        loss = self._loss(with_union(logits.float()), masks, known) * loss_share(known)
        # backward, clip, step
        whole = sum_of(float(loss.detach()))
        if not math.isfinite(whole):
            raise ValueError(
                f"the loss of step {self.step + 1} is {whole}; nothing is saved of it; try a smaller --learning-rate"
            )
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        sum_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return whole

    @torch.inference_mode()
    def validate(self, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> Validation:
        """Score the network to keep on batches of (images, masks, known): every film counts once, and has a mask.

        ValueError where the loss is no finite number.
        """
        model = self.result()
        rows = []  # per film: loss, then per structure Dice, whether it is known, share inside
        for images, masks, known in batches:
            images, masks, known = self._place(images, masks, known)
            with autocast(self.device, self.precision):
                logits = model(images)
            logits = with_union(logits.float())
            losses = [self._loss(*(part[i : i + 1] for part in (logits, masks, known))) for i in range(len(images))]
            pred = logits > 0
            inside = pred.float().mean(dim=(2, 3))
            rows.append(torch.cat([torch.stack(losses)[:, None], _hard_dice(pred, masks >= 0.5), known, inside], dim=1))
        structures = len(STRUCTURES) + 1
        loss, dice, known, inside = interleave(rows, 1 + 3 * structures).split([1, *3 * [structures]], dim=1)
        known = known > 0
        if not bool(loss.isfinite().all()):
            raise ValueError(
                f"the loss of the validation films is {float(loss.mean())} after step {self.step}; nothing is saved of it; try a "
                "smaller --learning-rate"
            )
        lungs = slice(LUNGS, LUNGS + 1) if bool(known[:, LUNGS].any()) else slice(RIGHT_LUNG, LEFT_LUNG + 1)
        constant = known.any(dim=0) & ((inside == 0) | (inside == 1)).all(dim=0)
        return Validation(
            loss=float(loss.double().mean()),
            dice_lungs=_mean_where(dice[:, lungs], known[:, lungs]),
            dice_heart=_mean_where(dice[:, HEART], known[:, HEART]),
            constant=tuple(constant.nonzero()[:, 0].tolist()),
        )

    def result(self) -> nn.Module:
        """Return the network to keep, in evaluation mode: averaged weights, drawn back towards those it started from."""
        return between(self.start, self.average.model, self.share) if self.start else self.average.model

    def load_weights(self, weights: dict[str, Tensor], share: float = 1.0) -> None:
        """Start from trained weights instead of random ones; share: how far from them the result goes, 0 to 1."""
        self.model.load_state_dict(weights)
        self.average.model.load_state_dict(weights)
        self.start, self.share = ({} if share == 1 else weights), share

    def state(self) -> dict:
        """Return what a continued training needs beside the averaged weights: raw weights, optimiser, counters."""
        return {
            "model": _on_processor(self.model),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "epoch": self.epoch,
            "step": self.step,
            "average_steps": self.average.steps,
            "start": self.start,
        }

    def checkpoint(self, resumable: bool, **parts) -> Checkpoint:
        """Return a checkpoint of the network to keep; resumable: of the averaged weights, with all that a continuation needs.

        parts: its other fields.
        """
        return Checkpoint(
            model=self.model.config,
            weights=_on_processor(self.average.model if resumable else self.result()),
            structures=list(STRUCTURES),
            resume=self.state() if resumable else {},
            **parts,
        )

    def restore(self, weights: dict[str, Tensor], state: dict) -> None:
        """Continue from averaged weights and `state()`: the next step is the one that would have come."""
        self.average.model.load_state_dict(weights)
        self.model.load_state_dict(state["model"])
        # an older release had one optimiser
        states = state["optimizers"] if "optimizers" in state else [state["optimizer"]]
        for optimizer, own in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(own)
        self.epoch, self.step = state["epoch"], state["step"]
        self.average.steps = state["average_steps"]
        self.start = state.get("start", {})  # the file named by --init may have changed meanwhile

    def _loss(self, logits: Tensor, masks: Tensor, known: Tensor) -> Tensor:
        return dice_bce_loss(logits, masks, known, self.settings.dice_weight, self.settings.heart_weight)

    def _place(self, images: Tensor, masks: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = images.to(device=self.device, memory_format=torch.channels_last)
        return images, masks.to(self.device), known.to(self.device)


def _on_processor(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}


def _hard_dice(pred: Tensor, true: Tensor) -> Tensor:
    """Dice of bool masks (B, C, H, W), per film and structure (B, C); two empty masks give 1."""
    overlap = (pred & true).sum(dim=(2, 3))
    total = pred.sum(dim=(2, 3)) + true.sum(dim=(2, 3))
    return torch.where(total > 0, 2 * overlap / total.clamp(min=1), torch.ones_like(total, dtype=torch.float))


def _mean_where(values: Tensor, known: Tensor) -> float | None:
    return float(values[known].mean()) if bool(known.any()) else None
