"""Scores of one film: what was predicted against what was drawn, in the film's own pixels and, where known, millimetres."""

import hashlib

import numpy as np

from db.records import MASK_STRUCTURES, ImageRecord
from unet import metrics, surface
from unet.postprocess import component_count
from unet.structures import with_lungs


def score_film(record: ImageRecord, masks_pred: dict[str, np.ndarray], masks_true: dict[str, np.ndarray]) -> list[dict]:
    """Return one row of the score table per structure that is drawn on the film.

    masks_pred, masks_true: structure to bool (H, W). Distances carry their unit in the column's name: _mm where the film's
    spacing is known, else _px.
    """
    pred, true = with_lungs(masks_pred), with_lungs(masks_true)
    rows = []
    for structure in MASK_STRUCTURES:
        if structure in true and structure in pred:
            keys = {"image_id": record.image_id, "structure": structure, "split": record.split}
            keys["reference_sha256"] = mask_sha256(true[structure])
            rows.append({**keys, **score_pair(pred[structure], true[structure], record.spacing_mm)})
    return rows


def mask_sha256(mask: np.ndarray) -> str:
    """Return the SHA-256 of a mask's pixels, bool (H, W), however its file stores them: another one was drawn otherwise."""
    return hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()


def score_pair(mask_pred: np.ndarray, mask_true: np.ndarray, spacing_mm: tuple[float, float] | None) -> dict:
    """Return every metric of one predicted mask: overlap, area, distances (see docs/metrics.md for each)."""
    counts = metrics.count(mask_pred, mask_true)
    unit = "px" if spacing_mm is None else "mm"
    distances = surface.surface_distances(mask_pred, mask_true, spacing_mm or (1.0, 1.0))
    tolerances = {f"nsd_{t}{unit}": surface.nsd(distances, t) for t in surface.NSD_TOLERANCES[unit]}
    return {
        "empty": distances.empty,
        "dice": metrics.dice(counts),
        "iou": metrics.iou(counts),
        "precision": metrics.precision(counts),
        "recall": metrics.recall(counts),
        "specificity": metrics.specificity(counts),
        "balanced_accuracy": metrics.balanced_accuracy(counts),
        "relative_area_error": metrics.relative_area_error(counts),
        f"hd_{unit}": surface.hd(distances),
        f"hd95_{unit}": surface.hd95(distances),
        f"assd_{unit}": surface.assd(distances),
        **tolerances,
        "components": component_count(mask_pred),
    }
