"""Orientation of a film: as a chest film should be, inverted in grey levels, turned, mirrored, or like no chest film at all."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

A_LITTLE = 0.35  # strangeness above which the mirror image is tried: a mirrored chest is not very strange
PERHAPS = 1.3  # but only if the masks found, mirrored without a new pass, are at most this many times as strange
CLEARLY = 0.75  # strangeness above which all placements are tried
LESS_STRANGE = 0.8  # another placement must be at most this fraction as strange as the film as it is stored;
LESS_STRANGE_MIRRORED = 0.9  # for a mirror image, which only the heart's side and the lungs' sizes tell, this fraction


class Placement(NamedTuple):
    """What turns the stored film into an upright one: invert its grey levels, mirror it, turn it counter-clockwise."""

    inverted: bool = False
    mirrored: bool = False
    quarter_turns: int = 0


AS_STORED = Placement()
MIRROR = Placement(mirrored=True)
# inverted first: whole archives are
OTHERS = tuple(
    Placement(inverted, False, turns) for turns in range(4) for inverted in (True, False) if inverted or turns
)

Judge = Callable[[Placement], float]
"""Gives the strangeness of the film in a placement."""


def find_placement(stored: float, reflected: float, judge: Judge) -> Placement:
    """Return the placement in which the film is like a chest film, or AS_STORED where none is clearly more so.

    stored: strangeness of the film as it is stored; reflected: of the same masks mirrored. A film that is not strange, or a
    little but much more so if mirrored, needs no further pass: most chest films cost nothing. Once a placement is not strange
    either, no other is tried: an inverted film costs one more pass instead of eight.
    """
    if stored <= A_LITTLE or stored <= CLEARLY and reflected > PERHAPS * stored:
        return AS_STORED
    least, best = math.inf, AS_STORED
    for placement in [MIRROR] if stored <= CLEARLY else [OTHERS[0], MIRROR, *OTHERS[1:]]:
        least, best = min((least, best), (judge(placement), placement))
        if least <= A_LITTLE:
            break
    enough = LESS_STRANGE_MIRRORED if best == MIRROR else LESS_STRANGE
    return best if least <= enough * stored and least <= 1 else AS_STORED


def place(image: np.ndarray, placement: Placement) -> np.ndarray:
    """Return a copy of the film (H, W) in [0, 1] in a placement; an odd number of quarter turns gives (W, H)."""
    if placement.inverted:
        image = 1 - image
    if placement.mirrored:
        image = image[:, ::-1]
    # np.ascontiguousarray leaves a film one pixel wide as it is, and torch takes no array that runs backwards
    return np.rot90(image, placement.quarter_turns).copy()


def unplace(mask: np.ndarray, placement: Placement) -> np.ndarray:
    """Return a mask of the placed film on the film as it is stored: the inverse of `place`, except for grey levels."""
    mask = np.rot90(mask, -placement.quarter_turns)
    return (mask[:, ::-1] if placement.mirrored else mask).copy()


def turn_in_words(placement: Placement) -> str:
    """Say how the stored film is turned: if turning it counter-clockwise makes it upright, it is stored turned clockwise."""
    return {1: "90 degrees clockwise", 2: "180 degrees", 3: "90 degrees counter-clockwise"}[placement.quarter_turns]
