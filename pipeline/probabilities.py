"""How good a film's probabilities are, as sums to add over films: reliability near and far from the border, Dice by threshold.

All of it is computed at the network's own size; docs/metrics.md has the formulas.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from data.resize import Letterbox, to_square
from db.records import MASK_STRUCTURES
from pipeline.predictor import Predictor
from unet.calibration import NEAR, Reliability, add, brier, curve, ece, mce, near_border, nll, reliability
from unet.model import with_union
from unet.thresholds import THRESHOLDS, dice_by_threshold

PLACES, TIMES = ("near", "far"), ("before", "after")


class FilmProbabilities(NamedTuple):
    """Of one film and structure: reliability by place and by before or after temperature, Dice at each threshold."""

    reliability: dict[tuple[str, str], Reliability]
    dice: np.ndarray


def film_probabilities(
    predictor: Predictor, logits: torch.Tensor, box: Letterbox, masks_true: Mapping[str, np.ndarray]
) -> dict[str, FilmProbabilities]:
    """Return the sums of each structure that is drawn. logits: (V, C, N, N) and box as `Predictor.logits` gives them."""
    mean = logits.mean(dim=0)
    planes = {
        "before": with_union(mean[None])[0].numpy(),
        "after": with_union(predictor.calibrated(mean)[None])[0].numpy(),
    }
    found = {}
    for plane, structure in enumerate(MASK_STRUCTURES):
        if structure not in masks_true:
            continue
        mask = to_square(torch.from_numpy(masks_true[structure])[None].float(), box)[0].numpy() >= 0.5
        near = near_border(mask, box.size / NEAR)
        sums = {
            (place, time): reliability(planes[time][plane], mask, where)
            for place, where in (("near", near), ("far", ~near))
            for time in TIMES
        }
        probability = torch.from_numpy(planes["after"][plane]).sigmoid().numpy()
        found[structure] = FilmProbabilities(sums, dice_by_threshold(probability, mask))
    return found


def summarise_calibration(films: Sequence[Mapping[str, FilmProbabilities]]) -> dict:
    """Return per structure, place and time the measures and the reliability diagram, as plain numbers."""
    summary: dict = {}
    for structure in MASK_STRUCTURES:
        own = [film[structure].reliability for film in films if structure in film]
        if own:
            summary[structure] = {
                place: {time: _measures(add(sums[place, time] for sums in own)) for time in TIMES} for place in PLACES
            }
    return summary


def summarise_thresholds(
    films: Sequence[Mapping[str, FilmProbabilities]], predictors: Sequence[Predictor]
) -> dict[str, dict]:
    """Return per structure the mean Dice at every threshold, and each network's choice on its validation films."""
    summary = {}
    for structure in MASK_STRUCTURES:
        own = [film[structure].dice for film in films if structure in film]
        if own:
            points = [p.checkpoint.validation.get("operating_point", {}).get(structure) for p in predictors]
            chosen = [p.thresholds[structure] for p in predictors if structure in p.thresholds]
            summary[structure] = {
                "films": len(own), "thresholds": THRESHOLDS.tolist(), "dice": np.mean(own, axis=0).tolist(),
                "used": sorted(set(chosen)), "on_validation": [point for point in points if point],
            }  # fmt: skip
    return summary


def _measures(sums: Reliability) -> dict:
    return {
        "pixels": int(sums.pixels.sum()), "ece": ece(sums), "mce": mce(sums), "brier": brier(sums), "nll": nll(sums),
        "diagram": [list(point) for point in curve(sums)],
    }  # fmt: skip
