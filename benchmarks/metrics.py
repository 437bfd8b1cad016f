"""How long the measures take: all of one film, and the distances beside the usual way through scipy's distance transform.

    python -m benchmarks.metrics

One process, one core where the system lets us choose. Every figure is the median of REPEATS runs, ours and scipy's in turn, so
that a busy machine slows both. Without scipy (`pip install scipy`) the first part alone is printed.
"""

import os
import platform
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from pipeline.scoring import score_pair
from unet.calibration import logit_sums, near_border, reliability
from unet.pieces import border, window_of
from unet.postprocess import clean
from unet.structures import with_lungs
from unet.surface import surface_distances
from unet.thresholds import dice_by_threshold

SIDE = 1024
SPACING_MM = (0.35, 0.35)
REPEATS = 15


def main() -> None:
    """Print the tables."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(
        f"{SIDE} x {SIDE} film, {platform.machine()}, numpy {np.__version__}; medians of {REPEATS} runs, milliseconds\n"
    )
    print_film()
    try:
        from scipy import ndimage
    except ImportError:
        print("\nscipy is not installed; no comparison of distances")
        return
    print_distances(ndimage)


def print_film() -> None:
    """Time what is done with one film of three structures, the union of the lungs as the fourth."""
    true, pred = film(wobble=0.0), film(wobble=0.04)
    logits = sum(np.where(mask, 8.0, 0.0) for mask in pred.values()).astype(np.float32) - 4
    probability = 1 / (1 + np.exp(-logits))
    heart = true["heart"]
    tasks = {
        "all metrics, 3 structures and the lungs' union": lambda: score(pred, true),
        "tidying 3 masks: largest piece, holes": lambda: clean(pred),
        "reliability of 1 structure": lambda: reliability(logits, heart),
        "pixels near the border, within 8 px": lambda: near_border(heart, 8),
        "sums for the temperature, 1 structure": lambda: logit_sums(logits, heart),
        "Dice at 99 thresholds, 1 structure": lambda: dice_by_threshold(probability, heart),
    }
    for name, task in tasks.items():
        print(f"{name:<50} {in_turn(task)[0]:8.1f}")


def print_distances(ndimage) -> None:
    """Time the distances of one pair against scipy's, over the whole film and cut to the box that holds both masks."""
    print(
        f"\n{'distances of one pair':<34} {'ours':>7} {'scipy':>7} {'ratio':>6} {'scipy, cut':>11} {'ratio':>6} {'differ by':>10}"
    )
    for name, (pred, true) in pairs().items():
        box = window_of(pred | true)
        ours = partial(surface_distances, pred, true, SPACING_MM)
        whole = partial(distances_by_scipy, ndimage, pred, true)
        cut = partial(distances_by_scipy, ndimage, pred[box], true[box])
        own, scipy_whole, scipy_cut = in_turn(ours, whole, cut)
        differ = max(np.abs(a - b).max() for a, b in zip(ours()[:2], whole(), strict=True))
        print(
            f"{name:<34} {own:7.1f} {scipy_whole:7.1f} {scipy_whole / own:6.1f} {scipy_cut:11.1f} {scipy_cut / own:6.1f} "
            f"{differ:7.0e} mm"
        )


def distances_by_scipy(ndimage, pred: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The usual way: a map of the distance to each border, read at the other's pixels."""
    pred_border, true_border = border(pred), border(true)
    to_true = ndimage.distance_transform_edt(~true_border, sampling=SPACING_MM)
    to_pred = ndimage.distance_transform_edt(~pred_border, sampling=SPACING_MM)
    return to_true[pred_border], to_pred[true_border]


def score(pred: dict[str, np.ndarray], true: dict[str, np.ndarray]) -> list[dict]:
    """All metrics of every structure, as evaluate.py has them."""
    pred, true = with_lungs(pred), with_lungs(true)
    return [score_pair(pred[name], true[name], SPACING_MM) for name in true]


def film(wobble: float) -> dict[str, np.ndarray]:
    """Two lungs and a heart as ellipses whose outline moves in and out by the share `wobble`."""
    places = {"right_lung": (300, 480, 150, 330), "left_lung": (720, 480, 140, 320), "heart": (560, 640, 150, 140)}
    return {name: ellipse(*place, wobble) for name, place in places.items()}


def ellipse(x: float, y: float, half_width: float, half_height: float, wobble: float = 0.0) -> np.ndarray:
    """A bool mask (SIDE, SIDE), centre and half axes in pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    across, down = (columns - x) / half_width, (rows - y) / half_height
    return np.hypot(across, down) < 1 + wobble * np.sin(9 * np.arctan2(down, across))


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name to (mask_pred, mask_true): from what is usual to what should not happen."""
    lung, drawn = ellipse(300, 480, 150, 330), ellipse(300, 480, 150, 330, 0.04)
    stray = drawn.copy()
    stray[5:40, 980:1010] = True
    random = np.random.default_rng(0)
    full, speckle = np.ones_like(lung), random.random(lung.shape) < 0.5
    return {
        "a lung, nearly right": (drawn, lung),
        "the same, 60 px aside": (np.roll(drawn, 60, axis=1), lung),
        "with a stray blob far away": (stray, lung),
        "the wrong lung": (ellipse(720, 480, 140, 320), lung),
        "the whole film": (full, lung),
        "speckles, speckles": (speckle, random.random(lung.shape) < 0.5),
        "speckles, a lung": (speckle, lung),
    }


def in_turn(*tasks: Callable[[], object]) -> list[float]:
    """Run the tasks one after the other REPEATS times; return each one's median in milliseconds."""
    seconds = np.empty((REPEATS, len(tasks)))
    for task in tasks:
        task()
    for turn in range(REPEATS):
        for index, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            seconds[turn, index] = time.perf_counter() - start
    return [float(median) for median in np.median(seconds, axis=0) * 1000]


if __name__ == "__main__":
    main()
