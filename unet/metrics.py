"""Overlap of two masks, from four counts. Formulas, units and undefined cases: docs/metrics.md."""

from typing import NamedTuple

import numpy as np


class Counts(NamedTuple):
    """Pixels inside both masks, in the prediction alone, in the truth alone, in neither."""

    tp: int
    fp: int
    fn: int
    tn: int


def check_pair(mask_pred: np.ndarray, mask_true: np.ndarray) -> None:
    """Raise ValueError where two masks are not bool (H, W) of one size."""
    for name, mask in (("mask_pred", mask_pred), ("mask_true", mask_true)):
        if mask.dtype != bool or mask.ndim != 2:
            raise ValueError(f"{name} is {mask.dtype} of shape {mask.shape}; wanted bool (H, W)")
    if mask_pred.shape != mask_true.shape:
        raise ValueError(f"mask_pred is {mask_pred.shape}, mask_true {mask_true.shape}; wanted one size")


def count(mask_pred: np.ndarray, mask_true: np.ndarray) -> Counts:
    """Count the four kinds of pixels of two bool masks (H, W) of one size."""
    check_pair(mask_pred, mask_true)
    tp = int(np.count_nonzero(mask_pred & mask_true))
    fp = int(np.count_nonzero(mask_pred)) - tp
    fn = int(np.count_nonzero(mask_true)) - tp
    return Counts(tp, fp, fn, mask_pred.size - tp - fp - fn)


def dice(counts: Counts) -> float:
    """Return 2 tp / (2 tp + fp + fn); two empty masks give 1 (Dice 1945)."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, when_empty=1.0)


def iou(counts: Counts) -> float:
    """Return tp / (tp + fp + fn); two empty masks give 1 (Jaccard 1901)."""
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn, when_empty=1.0)


def precision(counts: Counts) -> float:
    """Return tp / (tp + fp), the share of the prediction that is right; empty prediction: 1 if the truth is empty, else 0."""
    return _ratio(counts.tp, counts.tp + counts.fp, when_empty=float(counts.fn == 0))


def recall(counts: Counts) -> float:
    """Return tp / (tp + fn), the share of the truth that is found; empty truth: 1 if the prediction is empty, else 0."""
    return _ratio(counts.tp, counts.tp + counts.fn, when_empty=float(counts.fp == 0))


def specificity(counts: Counts) -> float:
    """Return tn / (tn + fp), the share of the background that is left alone; without background 1."""
    return _ratio(counts.tn, counts.tn + counts.fp, when_empty=1.0)


def balanced_accuracy(counts: Counts) -> float:
    """Return the mean of recall and specificity."""
    return (recall(counts) + specificity(counts)) / 2


def relative_area_error(counts: Counts) -> float | None:
    """Return (predicted - true) / true area; None, undefined, where the truth is empty."""
    true = counts.tp + counts.fn
    return None if true == 0 else (counts.fp - counts.fn) / true


def _ratio(part: int, whole: int, when_empty: float) -> float:
    return part / whole if whole else when_empty
