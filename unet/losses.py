"""Dice + BCE on logits, over exactly the structures that each film has drawn."""

from torch import Tensor
from torch.nn import functional as F

EPSILON = 1.0  # pixels; keeps the Dice of two empty masks at 1 and its gradient finite


def soft_dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - soft Dice per film and structure: (B, C, H, W), target in [0, 1], to (B, C).

    Dice = 1 - sum|p - t| / (sum p + sum t). For a hard target this is the usual 2 sum(pt) / (sum p + sum t); for a border
    pixel that is covered to a half it is least at p = t, which the usual form is not (Wang et al. 2023, Dice semimetric losses).
    Two empty masks: 0.
    """
    probability = logits.sigmoid()
    difference = (probability - target).abs().sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    return difference / (total + EPSILON)


def bce_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross entropy per film and structure, mean over pixels: (B, C, H, W) to (B, C)."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(2, 3))


def dice_bce_loss(logits: Tensor, target: Tensor, known: Tensor, dice_weight: float = 1.0) -> Tensor:
    """Return the mean loss of a batch over the structures that are known.

    logits, target: (B, C, H, W). known: (B, C) in {0, 1}; a structure that nobody drew on a film gives neither loss nor
    gradient there. Every film weighs the same, however many structures it has. A film with none, or an empty batch
    of known structures, counts as 0.
    """
    per_structure = bce_loss(logits, target) + dice_weight * soft_dice_loss(logits, target)
    per_film = (per_structure * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
    drawn = (known.sum(dim=1) > 0).float()
    return (per_film * drawn).sum() / drawn.sum().clamp(min=1)
