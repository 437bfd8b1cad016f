"""Dice + BCE on logits, over exactly the structures that each film has drawn."""

import torch
from torch import Tensor
from torch.nn import functional as F

from unet.structures import HEART, LEFT_LUNG, RIGHT_LUNG, WITH_HEART

EPSILON = 1.0  # pixels; keeps the Dice of two empty masks at 1 and its gradient finite
CERTAIN = 12.0  # logit of a pixel that the loss ignores, with target 1: next to no loss, and no gradient


def soft_dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - soft Dice per film and structure: (B, C, H, W), target in [0, 1], to (B, C).

    Dice = 1 - sum|p - t| / (sum p + sum t). For a hard target this is the usual 2 sum(pt) / (sum p + sum t). For a half-covered
    border pixel its loss is least at p = t, which that of the usual form is not (Wang et al. 2023, Dice semimetric losses).
    Two empty masks: 0.
    """
    probability = logits.sigmoid()
    difference = (probability - target).abs().sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    return difference / (total + EPSILON)


def bce_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the binary cross entropy per film and structure, mean over pixels: (B, C, H, W) to (B, C)."""
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=(2, 3))


def dice_bce_loss(
    logits: Tensor, target: Tensor, known: Tensor, dice_weight: float = 1.0, heart_weight: float = 1.0
) -> Tensor:
    """Return the mean loss of a batch over the structures that are known.

    logits, target: (B, C, H, W). known: (B, C), as in `unet.structures`; one that is not drawn on a film gives neither loss
    nor gradient there; for WITH_HEART see `asked_of`. Every film weighs the same, however many structures it has; one
    without any has no weight, and a batch of only such films gives 0. On a film the heart counts heart_weight times as much as
    each other structure. All targets lie in [0, 1], those that are not known too.
    Raises ValueError where the shapes do not fit: broadcasting would count structures of other films.
    """
    if target.shape != logits.shape or known.shape != logits.shape[:2]:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)}, target {tuple(target.shape)}, known {tuple(known.shape)}; wanted "
            "(B, C, H, W) twice and (B, C)"
        )
    with_heart = (known == WITH_HEART).any(dim=1)
    if bool(with_heart.any()):
        asked, answer = asked_of(logits, target)
        with_heart = with_heart[:, None, None, None]
        logits, target = torch.where(with_heart, asked, logits), torch.where(with_heart, answer, target)
    known = (known > 0).to(logits.dtype)
    per_structure = bce_loss(logits, target) + dice_weight * soft_dice_loss(logits, target)
    weight = known.clone()
    weight[:, HEART : HEART + 1] *= heart_weight
    per_film = (per_structure * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-6)
    drawn = (known.sum(dim=1) > 0).float()
    return (per_film * drawn).sum() / drawn.sum().clamp(min=1)


def asked_of(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits and target to compare where the lungs are drawn with the heart's shadow inside.

    Such masks still tell two things about the clear lung fields. Outside the masks there is no lung: the lungs' logits stay as
    they are. Inside, away from the midline, there is lung or, on the left, heart: the left lung's logit becomes the larger of
    its own and the heart's, so that either explains the mask (as a marginal loss does, Shi et al. 2021). The loss ignores the
    masks' medial parts, where heart, mediastinum and lung cannot be told apart, and what the source does not judge (a
    pacemaker, say): there the logit is CERTAIN and the target 1.
    logits (B, C, H, W): right lung, left lung, heart, ... target (B, C, H, W): right and left lung as drawn; in the heart's
    plane what the loss ignores, which is also set in both lungs unless it is a medial part of one.
    """
    asked, answer = logits.clone(), target.clone()
    lungs = slice(RIGHT_LUNG, LEFT_LUNG + 1)
    inside = target[:, lungs] >= 0.5
    medial = inside & (target[:, HEART : HEART + 1] >= 0.5)
    either = logits[:, lungs].clone()
    either[:, LEFT_LUNG] = torch.maximum(logits[:, LEFT_LUNG], logits[:, HEART])
    asked[:, lungs] = torch.where(inside, either, logits[:, lungs]).masked_fill(medial, CERTAIN)
    answer[:, lungs] = target[:, lungs].masked_fill(medial, 1.0)
    return asked, answer
