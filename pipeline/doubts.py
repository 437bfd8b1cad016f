"""What is implausible about masks of a chest film, in words."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from data.geometry import bounding_box
from data.measurements import Measurement
from data.resize import Letterbox
from unet.quality import Quality

SMALLEST_LUNGS = 0.06  # share of the film
MOST_UNEQUAL = 2.5  # times
MOST_SHARED = 0.2  # of the heart that lies over the lungs: at most 0.054 on 370 films, bedside ones among them
MOST_TILTED = 12  # degrees between the apices; at most 9 on 138 upright films, more on 5 of 120 bedside ones
NARROWEST_MM, WIDEST_MM = 60, 600  # of a thorax; that of a newborn is about 100 mm wide


def doubts(masks: Mapping[str, np.ndarray], film_pixels: int | None = None) -> list[str]:
    """Say what is not plausible: a missing lung, lungs on the wrong sides, far too small, or of very different size; a heart that
    lies over them or is larger than both.

    masks: right_lung, left_lung and heart, bool (H, W), no pixel in both lungs. film_pixels: how many of the picture's pixels
    are film, without border or page; None: all. An empty list is no promise that the masks are right.
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
    return found + _doubts_of_heart(masks["heart"], right | left)


def doubts_of_spacing(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Say that a pixel spacing makes the thorax as narrow or wide as none is. measurements: of one film; none without spacing."""
    for one in measurements:
        if one.name == "thorax_width_mm" and not NARROWEST_MM <= one.value <= WIDEST_MM:
            yield f"the pixel spacing makes the thorax {one.value:.0f} mm wide"


def doubts_of_quality(quality: Mapping[str, Quality]) -> Iterator[str]:
    """Say of which structures the predicted Dice is low; of both lungs together only where it is so of neither alone."""
    sides = [name for name in ("right_lung", "left_lung") if name in quality and quality[name].doubtful]
    for name in (*sides, *([] if sides else ["lungs"]), "heart"):
        if name in quality and quality[name].doubtful:
            words = name.replace("_", " ")
            yield f"predicted Dice of the {words} {quality[name].predicted_dice:.3f}, below {quality[name].limit:.3f}"


def remarks_of_tilt(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Say that a film's chest is tilted so far that widths and what is measured from the midline are off."""
    for one in measurements:
        if one.name == "thorax_tilt_deg" and abs(one.value) > MOST_TILTED:
            yield (
                f"the chest lies tilted by {abs(one.value):.0f} degrees: widths, the cardiothoracic ratio and distances from the "
                "midline are off"
            )


def remarks_of_edge(masks: Mapping[str, np.ndarray], film: Letterbox) -> Iterator[str]:
    """Say which lung goes on beyond the film. masks: as for `doubts`. film: where the picture is film, without border or page."""
    for name in ("right_lung", "left_lung"):
        lung = bounding_box(masks[name])
        if lung is None:
            continue
        reached = {
            "above": lung.top <= film.crop_top,
            "below": lung.bottom >= film.crop_top + film.crop_height,
            "beside": lung.left <= film.crop_left or lung.right >= film.crop_left + film.crop_width,
        }
        if any(reached.values()):
            where = " and ".join(side for side, it_is in reached.items() if it_is)
            yield f"the film's edge cuts off the {name.replace('_', ' ')} {where}: its measurements are of the part that is seen"


def _doubts_of_heart(heart: np.ndarray, lungs: np.ndarray) -> list[str]:
    size, shared = int(np.count_nonzero(heart)), int(np.count_nonzero(heart & lungs))
    found = [f"{100 * shared / size:.0f} % of the heart lies over the lungs"] if shared > MOST_SHARED * size else []
    return found + (["the heart is larger than both lungs"] if size > np.count_nonzero(lungs) else [])


def _middle(mask: np.ndarray) -> float:
    """Mean column of a mask with at least one pixel."""
    columns = mask.view(np.uint8).sum(axis=0, dtype=np.int32)
    return float(columns @ np.arange(len(columns)) / columns.sum())
