"""A few numbers that describe the probabilities and masks of a film, from which its quality is predicted.

All are computed at the network's own size from one pass of the network, without the truth or a second look at the film.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from unet.pieces import border, window_of
from unet.structures import STRUCTURES, with_lungs

TRAITS = ("expected_loss", "blur", "strays", "raggedness", "doubt", "area", "missing")
"""Of each structure, see `structure_traits`."""
SHAPES = (
    "height_ratio", "area_ratio", "top_difference", "bottom_difference", "gap", "aspect", "heart_width", "heart_across",
    "heart_down", "right_fill", "left_fill", "heart_area", "lungs_share",
)  # fmt: skip
"""Of the film as a whole, see `film_shape`; all but the last are independent of the chest's size and place."""
SIGNS = (*SHAPES, *(f"{name}_expected_loss" for name in STRUCTURES))
"""What tells a chest film from other pictures: its shape, and how sure the network is of each structure."""
LEAST = 1e-3  # added before a logarithm: a loss of Dice below this is nothing


class FilmTraits(NamedTuple):
    """own: structure, `lungs` included, to (TRAITS,); shape: (SHAPES,), NaN where a mask it needs is empty."""

    own: dict[str, np.ndarray]
    shape: np.ndarray

    @property
    def signs(self) -> np.ndarray:
        """The film's (SIGNS,), as `film_signs` gives them."""
        return np.append(self.shape, [self.own[name][TRAITS.index("expected_loss")] for name in STRUCTURES])


def film_traits(
    probabilities: Mapping[str, np.ndarray], raw: Mapping[str, np.ndarray], tidy: Mapping[str, np.ndarray]
) -> FilmTraits:
    """Return the traits of one film from its right_lung, left_lung and heart, each (N, N).

    probabilities: float in [0, 1]. raw, tidy: the bool masks of `unet.postprocess`, before and after tidying.
    """
    planes = {**probabilities, "lungs": np.maximum(probabilities["right_lung"], probabilities["left_lung"])}
    raw, tidy = with_lungs(raw), with_lungs(tidy)
    own = {name: structure_traits(planes[name], raw[name], tidy[name]) for name in planes}
    return FilmTraits(own, film_shape(tidy))


def structure_traits(probability: np.ndarray, raw: np.ndarray, tidy: np.ndarray) -> np.ndarray:
    """Return (TRAITS,) of one structure: probability (N, N) in [0, 1], its bool mask before and after tidying.

    expected_loss: see there. blur: log of the entropy, in nats, per pixel of the border. strays: pixels that tidying changed /
    (those + pixels of the tidy mask). raggedness: log of border pixels squared over the area. doubt: log of the mean of 1 - p
    inside the mask. area: log of the share of the square. missing: 1 where the mask is empty; it then counts as one pixel.
    """
    inside, edge = (max(1, int(np.count_nonzero(mask))) for mask in (tidy, border(tidy)))
    shared = float(probability[tidy].sum(dtype=np.float64))
    unsure = probability[(probability > 1e-4) & (probability < 1 - 1e-4)]  # elsewhere the entropy is negligible
    sure = 1 - unsure  # logarithms of float32 take a third of the time of float64's, and their sum is right to 1e-7
    entropy = -float((unsure * np.log(unsure) + sure * np.log(sure)).sum(dtype=np.float64))
    changed = int(np.count_nonzero(raw ^ tidy))
    return np.array(
        [
            expected_loss(probability, tidy),
            np.log(entropy / edge + LEAST),
            changed / (inside + changed),
            np.log(edge**2 / inside),
            np.log(max(1 - shared / inside, 0.0) + LEAST),
            np.log(inside / tidy.size),
            float(not tidy.any()),
        ]
    )


def expected_loss(probability: np.ndarray, mask: np.ndarray) -> float:
    """Return the log of the Dice loss expected from the probabilities alone, 1 - 2 sum(p m) / (sum p + sum m).

    probability: (N, N) in [0, 1]; mask: bool (N, N); an empty one counts as one pixel of probability 0.
    """
    total = float(probability.sum(dtype=np.float64)) + max(1, int(np.count_nonzero(mask)))
    loss = 1 - 2 * float(probability[mask].sum(dtype=np.float64)) / max(total, 1e-9)
    return float(np.log(max(loss, 0.0) + LEAST))


def film_signs(probabilities: Mapping[str, np.ndarray], tidy: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (SIGNS,) of a film from probabilities and tidy masks of the STRUCTURES; NaN where its shape is NaN."""
    return np.append(film_shape(tidy), [expected_loss(probabilities[name], tidy[name]) for name in STRUCTURES])


def mirrored_signs(signs: np.ndarray) -> np.ndarray:
    """Return the signs (SIGNS,) that a film's masks would have if they were mirrored and the lungs exchanged; NaN stays."""
    mirrored = dict(zip(SIGNS, signs, strict=True))
    for name in ("height_ratio", "area_ratio", "top_difference", "bottom_difference"):
        mirrored[name] = -mirrored[name]
    mirrored["heart_across"] = 1 - mirrored["heart_across"]
    for right, left in (("right_fill", "left_fill"), ("right_lung_expected_loss", "left_lung_expected_loss")):
        mirrored[right], mirrored[left] = mirrored[left], mirrored[right]
    return np.array([mirrored[name] for name in SIGNS])


def film_shape(masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return (SHAPES,) of the tidy bool masks of one film; lengths are divided by the lungs' common height or width.

    height_ratio, area_ratio: log of right over left lung. top_difference, bottom_difference: of the lungs' boxes. gap: between
    them. aspect: log of common width over height. heart_width, heart_across, heart_down: its width, and where its middle lies.
    ..._fill: area / area of the box. heart_area: log of heart over lungs. lungs_share: square root of their share of the square.
    """
    right, left, heart = (_box(masks[name]) for name in ("right_lung", "left_lung", "heart"))
    if right is None or left is None:
        return np.full(len(SHAPES), np.nan)
    top, bottom = min(right.top, left.top), max(right.bottom, left.bottom)
    start, end = min(right.left, left.left), max(right.right, left.right)
    height, width, lungs_area = bottom - top, end - start, right.area + left.area
    of_heart = [np.nan] * 3
    if heart is not None:
        middle, depth = (heart.left + heart.right) / 2, (heart.top + heart.bottom) / 2
        of_heart = [(heart.right - heart.left) / width, (middle - start) / width, (depth - top) / height]
    return np.array(
        [
            np.log((right.bottom - right.top) / (left.bottom - left.top)),
            np.log(right.area / left.area),
            (right.top - left.top) / height,
            (right.bottom - left.bottom) / height,
            (left.left - right.right) / width,
            np.log(width / height),
            *of_heart,
            right.fill,
            left.fill,
            np.nan if heart is None else np.log(heart.area / lungs_area),
            np.sqrt(lungs_area / masks["right_lung"].size),
        ]
    )


class _Box(NamedTuple):
    """The smallest box around a mask, ends exclusive, and the mask's area, in pixels."""

    top: int
    bottom: int
    left: int
    right: int
    area: int

    @property
    def fill(self) -> float:
        """Share of the box that the mask fills."""
        return self.area / ((self.bottom - self.top) * (self.right - self.left))


def _box(mask: np.ndarray) -> _Box | None:
    window = window_of(mask)
    if window is None:
        return None
    rows, columns = window
    return _Box(rows.start, rows.stop, columns.start, columns.stop, int(np.count_nonzero(mask)))
