"""Dice + BCE on logits, over exactly the structures that each film has drawn."""

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1.0  # pixels; keeps the Dice of two empty masks at 1 and its gradient finite
DRAWN, WITH_HEART = 1, 2  # values of `known`; 0: nobody drew the structure
LEFT_LUNG, HEART = 1, 2
CERTAIN = 12.0  # logit of a pixel about which nothing is asked: its loss is nearly 0, and its gradient 0


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

    logits, target: (B, C, H, W). known: (B, C), 0: nobody drew the structure on that film, so it gives neither loss nor
    gradient there; DRAWN; WITH_HEART: see `asked_of`. Every film weighs the same, however many structures it has. A film
    with none, or an empty batch of known structures, counts as 0.
    """
    with_heart = (known == WITH_HEART).any(dim=1)
    if bool(with_heart.any()):
        logits = torch.where(with_heart[:, None, None, None], asked_of(logits, target), logits)
    known = (known > 0).to(logits.dtype)
    per_structure = bce_loss(logits, target) + dice_weight * soft_dice_loss(logits, target)
    per_film = (per_structure * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
    drawn = (known.sum(dim=1) > 0).float()
    return (per_film * drawn).sum() / drawn.sum().clamp(min=1)


def asked_of(logits: Tensor, target: Tensor) -> Tensor:
    """Return the logits that may be held against lungs which somebody drew with the heart's shadow inside.

    Such masks say two things that are true of the clear field too. Outside them is no lung: there the lungs' logits stay as
    they are. Inside, away from the midline, is lung or, on the left, heart: there the left lung's logit is the larger of
    its own and the heart's, so that either explains the mask (as a marginal loss does, Shi et al. 2021). Nothing is asked about
    their medial parts, where heart, mediastinum and lung cannot be told apart: there the logit is CERTAIN.
    logits (B, C, H, W): right lung, left lung, heart, ... target (B, C, H, W): right and left lung as drawn, and in the
    heart's plane their medial parts.
    """
    asked = logits.clone()
    asked[:, LEFT_LUNG] = torch.maximum(logits[:, LEFT_LUNG], logits[:, HEART])
    medial = target[:, HEART : HEART + 1] >= 0.5
    lungs = slice(0, LEFT_LUNG + 1)
    asked[:, lungs] = torch.where(medial, CERTAIN, asked[:, lungs])
    inside = target[:, lungs] >= 0.5
    asked[:, lungs] = torch.where(inside, asked[:, lungs], logits[:, lungs])
    return asked
