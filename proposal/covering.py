"""Ways of covering a region of a film, for occlusions: what is filled in must not look like what it covers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from proposal.films import SIZE, Box, Film, irrelevant_box, other_side, target_box
from proposal.wording import LEFT, NONE, RIGHT

Cover = Callable[[Film, str], Film]
"""Covers what decides a concept."""
REGIONS = {"target": target_box, "irrelevant": irrelevant_box}
SIDE = 24  # pixels of a mean region, whatever size it has on a film
RIM = 2  # pixels around a region, from which its grey level is told
ABSENT = {
    "heart": lambda truth: not truth.enlarged, "effusion": lambda truth: truth.effusion == NONE,
    "side": lambda truth: truth.effusion == NONE, "opacity": lambda truth: truth.opacity == NONE,
}  # fmt: skip


@dataclass(frozen=True)
class TypicalFilling:
    """What regions look like without a finding: by concept, region and side the mean region, less the grey of its rim.

    Covers with that mean, at the grey of the covered film's own rim: no edge and no evenness tells that something was covered.
    """

    means: dict[tuple[str, str, int], np.ndarray]

    def cover_target(self, film: Film, concept: str) -> Film:
        """Cover what decides a concept."""
        return self._cover(film, concept, "target")

    def cover_irrelevant(self, film: Film, concept: str) -> Film:
        """Cover about as large a region where the concept does not show."""
        return self._cover(film, concept, "irrelevant")

    def _cover(self, film: Film, concept: str, region: str) -> Film:
        box = REGIONS[region](film, concept)
        mean = self.means[concept, region, _side_of(film, concept)]
        return _fill(film, box, _resize(mean, box[1] - box[0], box[3] - box[2]) + _rim_grey(film.image, box))


def typical_filling(films: Sequence[Film]) -> TypicalFilling:
    """Return the mean regions of the films that lack each finding; give films that nothing is examined on."""
    means = {}
    for concept, is_absent in ABSENT.items():
        lacking = [film for film in films if is_absent(film.truth)]
        if not lacking:
            raise ValueError(f"typical_filling: every one of {len(films)} films has {concept}; wanted some without it")
        for side in (RIGHT, LEFT):
            asked = [replace(film, truth=replace(film.truth, effusion=side, opacity=side)) for film in lacking]
            for region, box_of in REGIONS.items():
                parts = [_levelled(film.image, box_of(film, concept)) for film in asked]
                means[concept, region, side] = np.mean(parts, axis=0)
    return TypicalFilling(means)


def cover_from_other_side(film: Film, concept: str) -> Film:
    """Cover a finding on one side with the other side's pixels, mirrored at the middle of both lungs; the heart evenly."""
    if concept == "heart":
        return cover_evenly(film, concept)
    top, bottom, left, right = box = target_box(film, concept)
    opposite = np.clip(film.lungs[2] + film.lungs[3] - 1 - np.arange(left, right), 0, SIZE - 1)
    return _fill(film, box, film.image[top:bottom, opposite])


def cover_evenly(film: Film, concept: str) -> Film:
    """Cover with one grey: the heart with its box's mean, a finding on one side with that of the other side."""
    box = target_box(film, concept)
    like = box if concept == "heart" else other_side(film, box)
    return _fill(film, box, np.full((box[1] - box[0], box[3] - box[2]), _part(film.image, like).mean()))


def _side_of(film: Film, concept: str) -> int:
    """The side whose region is meant; the heart has one for both."""
    side = {"heart": RIGHT, "opacity": film.truth.opacity}.get(concept, film.truth.effusion)
    return side or LEFT  # a finding that is not there is sought on the left, as `target_box` does


def _part(image: np.ndarray, box: Box) -> np.ndarray:
    return image[box[0] : box[1], box[2] : box[3]]


def _fill(film: Film, box: Box, values: np.ndarray) -> Film:
    image = film.image.copy()
    _part(image, box)[:] = np.clip(values, 0, 255)
    return replace(film, image=image)


def _levelled(image: np.ndarray, box: Box) -> np.ndarray:
    """A region at (SIDE, SIDE), less the grey of its rim."""
    return _resize(_part(image, box), SIDE, SIDE) - _rim_grey(image, box)


def _rim_grey(image: np.ndarray, box: Box) -> float:
    """The mean grey of the pixels around a region that lie on the film."""
    top, bottom, left, right = box
    ring = np.zeros(image.shape, bool)
    ring[max(0, top - RIM) : bottom + RIM, max(0, left - RIM) : right + RIM] = True
    ring[top:bottom, left:right] = False
    return float(image[ring].mean())


def _resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
