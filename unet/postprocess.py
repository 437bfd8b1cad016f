"""From probabilities to tidy masks: no pixel for both lungs, one piece per structure, no holes."""

import math
from collections.abc import Mapping

import numpy as np

from unet.pieces import Pieces, label_pieces, window_of

TAIL = 0.07  # of the heart's diameter: parts narrower than twice this are tails; chosen on validation films
LARGEST_TAIL = 0.15  # of the mask's area
RIVAL = 0.5  # of the largest piece's size; a smaller piece is a stray blob


def binarise(probabilities: Mapping[str, np.ndarray], thresholds: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return each structure's bool mask, probability >= threshold, before any tidying.

    At the network's size, for thresholds and predicted quality; masks at the film's own size: `Predictor.film_masks`.
    probabilities: structure to (H, W) in [0, 1]; thresholds: one for each of them. A pixel that both lungs claim goes to the
    more probable one, to the right lung where they are equal; the union of the lungs stays as it is.
    """
    missing = sorted(set(probabilities) - set(thresholds))
    if missing:
        raise ValueError(f"no threshold for {', '.join(missing)}; give one for each structure")
    masks = {name: plane >= thresholds[name] for name, plane in probabilities.items()}
    if "right_lung" in masks and "left_lung" in masks:
        both = (masks["right_lung"] & masks["left_lung"]).nonzero()
        more_left = probabilities["left_lung"][both] > probabilities["right_lung"][both]
        masks["right_lung"][both] = ~more_left
        masks["left_lung"][both] = more_left
    return masks


def tidied(
    probabilities: Mapping[str, np.ndarray], thresholds: Mapping[str, float]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the masks before and after tidying, at the network's size: what predicted quality is fitted on and asked of."""
    raw = binarise(probabilities, thresholds)
    return raw, clean(raw)


def clean(masks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each structure as one piece without holes: structure to bool (H, W), in and out.

    A lung or heart is one piece on a film; a second one is a stray blob, which would ruin every distance. The largest piece is
    kept. Exception: a piece of a lung at least RIVAL as large that lies wholly between it and the middle column of the other lung
    takes its place, because the dark air beside a chest, under an arm, can be larger than the lung. An empty mask stays empty.
    The lungs must come as two structures: their union would lose one of them here.
    """
    if "lungs" in masks:
        raise ValueError("'lungs' is two pieces; clean right_lung and left_lung, then unite them")
    others = {"right_lung": masks.get("left_lung"), "left_lung": masks.get("right_lung")}
    return {name: _tidy(mask, others.get(name)) for name, mask in masks.items()}


def _tidy(mask: np.ndarray, other: np.ndarray | None) -> np.ndarray:
    """Tidy one mask, only within its bounding box: outside there is neither a piece nor a hole."""
    box = window_of(mask)
    if box is None:
        return mask.copy()
    tidy = np.zeros_like(mask)
    pieces, one = label_pieces(mask[box]), mask[box]
    if len(pieces.sizes) > 1:
        keep = np.zeros(len(pieces.sizes) + 1, bool)
        keep[1 + _main_piece(pieces, box[1].start, other)] = True
        one = pieces.paint(keep)
    tidy[box] = fill_holes(one)
    return tidy


def _main_piece(pieces: Pieces, left: int, other: np.ndarray | None) -> int:
    """Return the index of the piece to keep. left: the first column that `pieces` are numbered in; other: the other lung."""
    largest = int(np.argmax(pieces.sizes))
    rivals = np.flatnonzero(pieces.sizes >= RIVAL * pieces.sizes[largest])
    if len(rivals) == 1 or other is None or not other.any():
        return largest
    first, end = pieces.columns
    per_column = np.count_nonzero(other, axis=0)
    middle = per_column @ np.arange(len(per_column)) / per_column.sum() - left
    between = [
        k
        for k in rivals
        if end[largest] <= first[k] and end[k] <= middle or middle <= first[k] and end[k] <= first[largest]
    ]
    return max(between, key=lambda k: pieces.sizes[k], default=largest)


def cut_tails(margins: np.ndarray) -> np.ndarray:
    """Return a heart's margins over its threshold, (N, N), made negative in its mask's tails, which a disc cannot reach.

    A heart has no narrow tails, but a network draws some along a fat pad or the stomach's air, and their outermost column
    would set the heart's width. The mask's opening by a disc (Serra 1982) removes them; the disc's radius is TAIL of the diameter
    of a circle of the mask's area. In and out float; the mask is where the margin is 0 or more. Margins are returned unchanged
    where the mask is empty, too small for a disc or would lose more than LARGEST_TAIL of its area.
    """
    mask = margins >= 0
    whole = fill_holes(mask)  # an unsure network leaves holes, into which no disc would fit
    area = np.count_nonzero(whole)
    radius = round(TAIL * 2 * np.sqrt(area / np.pi))
    if not radius:
        return margins
    opened = opening(whole, radius)
    if np.count_nonzero(opened) < (1 - LARGEST_TAIL) * area:  # a ragged mask of an unsure network, no heart with a tail
        return margins
    return np.where(mask & ~opened, -np.abs(margins) - np.finfo(margins.dtype).tiny, margins)


def opening(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the opening of a bool mask (H, W): the union of all discs of a radius, in pixels, that lie within it."""
    box, opened = window_of(mask), np.zeros_like(mask)
    if box is not None:
        eroded = ~_spread(~np.pad(mask[box], radius), radius)
        opened[box] = _spread(eroded, radius)[radius:-radius, radius:-radius]
    return opened


def _spread(mask: np.ndarray, radius: int) -> np.ndarray:
    """Return the pixels within a radius of some pixel of the mask, (H, W)."""
    height, width = mask.shape
    before = np.pad(mask, ((radius, radius), (radius + 1, radius))).cumsum(axis=1, dtype=np.int32)
    reached = np.zeros_like(mask)
    for down in range(-radius, radius + 1):
        reach = math.isqrt(radius * radius - down * down)
        row, first = before[radius + down : radius + down + height], radius - reach
        end = first + 2 * reach + 1
        reached |= row[:, end : end + width] > row[:, first : first + width]  # some pixel of the row lies between
    return reached


def component_count(mask: np.ndarray) -> int:
    """Return the number of connected pieces (four neighbours) of a bool mask (H, W); 0 when it is empty."""
    return len(label_pieces(mask).sizes)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the pixels outside the mask that no path of four neighbours connects to the frame.

    So a hole that leaks only across a corner counts as closed, and a bay that opens to the frame is not a hole.
    """
    outside = np.ones((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    np.logical_not(mask, out=outside[1:-1, 1:-1])
    pieces = label_pieces(outside)
    if len(pieces.sizes) == 1:
        return mask.copy()
    fill = np.ones(len(pieces.sizes) + 1, bool)
    fill[1] = False  # the piece that holds the first pixel, which lies on the frame
    return pieces.paint(fill)[1:-1, 1:-1]
