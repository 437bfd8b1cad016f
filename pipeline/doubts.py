"""What is implausible about masks of a chest film, in words."""

from collections.abc import Mapping

import numpy as np

SMALLEST_LUNGS = 0.06  # share of the film
MOST_UNEQUAL = 2.5  # times


def doubts(masks: Mapping[str, np.ndarray], film_pixels: int | None = None) -> list[str]:
    """Say what is not plausible: a missing lung, lungs on the wrong sides, far too small, or of very different size.

    masks: right_lung and left_lung, bool (H, W), no pixel in both. film_pixels: how many of the picture's pixels are film,
    without border or page; None: all. An empty list is no promise that the masks are right.
    """
    right, left = masks["right_lung"], masks["left_lung"]
    found = [f"no {name}" for name, mask in (("right lung", right), ("left lung", left)) if not mask.any()]
    if found:
        return found
    if _middle(right) > _middle(left):
        found.append("lungs on the wrong sides")
    sizes = [int(np.count_nonzero(mask)) for mask in (right, left)]
    if sum(sizes) < SMALLEST_LUNGS * (film_pixels or right.size):
        found.append(f"lungs cover less than {100 * SMALLEST_LUNGS:.0f} % of the picture")
    ratio = sizes[0] / sizes[1]
    if not 1 / MOST_UNEQUAL < ratio < MOST_UNEQUAL:
        times = max(ratio, 1 / ratio)
        found.append(f"one lung is {f'{times:.1f}' if times < 10 else 'more than 10'} times the other")
    return found


def _middle(mask: np.ndarray) -> float:
    """Mean column of a mask with at least one pixel."""
    columns = mask.view(np.uint8).sum(axis=0, dtype=np.int32)
    return float(columns @ np.arange(len(columns)) / columns.sum())
