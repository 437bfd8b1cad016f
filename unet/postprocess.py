"""From probabilities to tidy masks: one piece per structure, no holes, no pixel in both lungs."""

import numpy as np

from unet.pieces import label_pieces


def component_count(mask: np.ndarray) -> int:
    """Return the number of connected pieces (four neighbours) of a bool mask (H, W); 0 when it is empty."""
    return len(label_pieces(mask).sizes)


def largest_components(mask: np.ndarray, count: int = 1) -> np.ndarray:
    """Keep the `count` largest connected pieces; of equal ones the first in reading order."""
    labels, sizes = label_pieces(mask)
    if len(sizes) <= count:
        return mask.copy()
    keep = np.zeros(len(sizes) + 1, bool)
    keep[np.argsort(-sizes, kind="stable")[:count] + 1] = True
    return keep[labels]


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill what the frame cannot reach: outside pixels that no path of four neighbours joins to the border."""
    outside = np.pad(~mask, 1, constant_values=True)
    labels, _ = label_pieces(outside)
    return (labels != labels[0, 0])[1:-1, 1:-1]


def clean(masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each structure as its largest piece without holes.

    A lung or heart is one piece on a film; a second one is a stray blob, which would ruin every distance.
    """
    return {name: fill_holes(largest_components(mask)) for name, mask in masks.items()}
