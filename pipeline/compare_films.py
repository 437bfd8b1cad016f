"""Two films of one patient: laid over each other by the lungs, compared inside them, and what changed in size."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from data.dicom_header import header_facts
from data.intensity import HIGH_PERCENTILE, LOW_PERCENTILE, standardise
from data.loading import LoadedFilm, load_film
from data.measurements import Measurement, measure_masks, spread_of
from data.registration import Similarity, register_lungs, resample_to
from data.resize import letterbox_of, shrink
from data.ssim import ssim_map
from pipeline.film_spacing import AS_STATED, SpacingSource
from pipeline.film_view import view_film, with_header
from pipeline.predictor import Predictor
from unet.agreement import Z
from unet.metrics import count, dice
from unet.pieces import window_of
from unet.structures import with_lungs

EVEN = 0.01  # an interquartile range of grey levels, of 1, up to which lungs count as even
SIDE = 512  # pixels of the longer side while grey levels are compared: finer detail is noise and breathing
RATIOS = ("cardiothoracic_ratio", "cardiothoracic_ratio_internal")
Masks = Mapping[str, np.ndarray]


class FilmSide(NamedTuple):
    """One film of the two: its masks, those of every test-time view, and film and masks at the size of the comparison."""

    film: LoadedFilm
    masks: Masks
    views: Sequence[Masks]
    grey: np.ndarray  # (h, w) in [0, 1]
    small: np.ndarray  # the same, stretched as a whole to be looked at
    small_masks: Masks
    review: tuple[str, ...]
    remarks: tuple[str, ...]


class Change(NamedTuple):
    """A quantity on both films. spread: standard deviation over the views, None where fewer than two of them define it."""

    name: str
    unit: str
    before: float
    after: float
    before_spread: float | None
    after_spread: float | None

    @property
    def change(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def range(self) -> tuple[float, float] | None:
        """The change -+ 1.96 times both films' spreads, combined in quadrature; None where one is unknown.

        It says how firm the network is, and is no 95 % interval: most errors of the ratio are larger (docs/results.md).
        """
        if self.before_spread is None or self.after_spread is None:
            return None
        half = Z * math.hypot(self.before_spread, self.after_spread)
        return self.change - half, self.change + half


class FilmComparison(NamedTuple):
    """What two films have in common; pictures (h, w) in the frame of the first, values inside the lungs of both.

    change: by how much the second is brighter in grey levels made `alike`, 0 outside of both lungs. ssim: mean structural
    similarity. difference: mean of |change|. overlap: Dice of the lungs after laying the second over the first.
    doubts: what calls for a review of either film; remarks: what else was seen.
    """

    before: FilmSide
    after: FilmSide
    similarity: Similarity
    moved: np.ndarray
    moved_masks: Masks
    inside: np.ndarray
    change: np.ndarray
    ssim: float
    difference: float
    overlap: float
    changes: tuple[Change, ...]
    doubts: tuple[str, ...]
    remarks: tuple[str, ...]


def compare_films(
    before: Path, after: Path, predictor: Predictor, photometric: str, spacing: SpacingSource = AS_STATED
) -> FilmComparison:
    """Compare two films of one patient. predictor: with test-time views, which give the uncertainty.

    photometric: of pictures; spacing: of films that state none. Raises ValueError where a film cannot be read, or shows no two
    lungs.
    """
    one, other = sides = [prepare_side(path, predictor, photometric, spacing) for path in (before, after)]
    named = list(zip(("before", "after"), sides, strict=True))
    strangers, beside = differences(*(header_facts(path).stated for path in (before, after)))
    similarity = register_lungs(_lungs(other), _lungs(one))
    names = list(one.masks)
    planes = np.stack([other.grey, other.small, *(other.small_masks[name].astype(np.float32) for name in names)])
    grey, moved, *masks = resample_to(planes, similarity, one.small.shape)
    moved_masks = {name: mask >= 0.5 for name, mask in zip(names, masks, strict=True)}
    first, second = _lungs(one).any(axis=0), moved_masks["right_lung"] | moved_masks["left_lung"]
    inside = first & second
    if not inside.any():
        raise ValueError(f"{after}: its lungs cannot be laid over those of {before}; look at the masks of both")
    first_grey, second_grey = alike(one.grey, grey, inside)
    change = np.where(inside, second_grey - first_grey, 0)
    return FilmComparison(
        one, other, similarity, moved, moved_masks, inside, change,
        ssim=float(ssim_map(first_grey, second_grey)[inside].mean()),
        difference=float(np.abs(change)[inside].mean()),
        overlap=dice(count(second, first)),
        changes=tuple(changes(one, other)),
        doubts=(*strangers, *(f"{name}: {doubt}" for name, side in named for doubt in side.review)),
        remarks=(*beside, *(f"{name}: {remark}" for name, side in named for remark in side.remarks)),
    )  # fmt: skip


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Say what two films' headers state otherwise: what speaks for two patients, or for the wrong order, and other things.

    before, after: `data.dicom_header.HeaderFacts.stated`, empty for pictures. No identifier is written out.
    """

    def both(name: str) -> tuple | None:
        one, other = before.get(name), after.get(name)
        return (one, other) if one is not None and other is not None and one != other else None

    doubts = [
        f"the headers state two {words}: perhaps they are two patients'"
        for name, words in (("patient_id", "patient ids"), ("patient_sex", "sexes"))
        if both(name)
    ]
    if (dates := both("study_date")) and dates[0] > dates[1]:
        doubts.append(f"the film called before is the later one: study dates {dates[0]} and {dates[1]}")
    views = both("view_position")
    remarks = [f"views {views[0]} and {views[1]}: hearts look larger on AP films, and so do ratios"] if views else []
    return doubts, remarks


def prepare_side(path: Path, predictor: Predictor, photometric: str, spacing: SpacingSource) -> FilmSide:
    """Read a film, predict its masks with every view, bring it to the comparison's size; ValueError without two lungs."""
    film = spacing.complete(load_film(path, photometric))
    view = with_header(
        view_film(predictor, film.image, film.spacing_mm, fix_orientation=None), film, predictor.learnt_from
    )
    film = film._replace(image=view.image)  # its grey levels may have been stored inverted
    frame = letterbox_of(torch.from_numpy(film.image), SIDE)
    grey = shrink(torch.from_numpy(film.image)[None], frame)[0]
    small_masks = {
        name: shrink(torch.from_numpy(mask)[None].float(), frame)[0].numpy() >= 0.5 for name, mask in view.masks.items()
    }
    for name in ("right_lung", "left_lung"):
        if not small_masks[name].any():
            raise ValueError(f"{path}: no {name.replace('_', ' ')} was found, so it cannot be laid over another film")
    stretched = standardise(grey, "percentile").numpy()
    return FilmSide(film, view.masks, view.views, grey.numpy(), stretched, small_masks, view.review, view.remarks)


def alike(first: np.ndarray, second: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two films (h, w) in [0, 1] with grey levels that can be compared, cut off beyond 0 and 1.

    The second gets the first's median and interquartile range inside the lungs of both, bool (h, w); then the 1st to 99th
    percentile of the first in the lungs' box is 0..1 for both. So what lies outside of the box, a plate or the corners of a
    turned film, moves nothing, and an opacity of less than a quarter of the lungs hardly does. Where the lungs of a film have
    next to one grey level, the medians alone are made equal.
    """
    (low_1, middle_1, high_1), (low_2, middle_2, high_2) = (
        np.percentile(film[inside], (25, 50, 75)) for film in (first, second)
    )
    slope = (high_1 - low_1) / (high_2 - low_2) if min(high_1 - low_1, high_2 - low_2) > EVEN else 1.0
    black, white = np.percentile(first[window_of(inside)], (LOW_PERCENTILE, HIGH_PERCENTILE))
    range_ = max(white - black, 1e-6)
    return tuple(
        np.clip((film - black) / range_, 0, 1).astype(np.float32)
        for film in (first, middle_1 + slope * (second - middle_2))
    )


def changes(before: FilmSide, after: FilmSide) -> list[Change]:
    """Return what can be compared: areas and cardiothoracic ratios.

    Areas are in mm^2 where both films state their spacing, and in one plane; else each is given relative to both lungs of its own
    film, since pixels of two films differ in size.
    """
    stated = before.film.spacing_mm is not None and after.film.spacing_mm is not None
    with_spacing = stated and before.film.plane == after.film.plane
    first, second = (quantities(side, with_spacing) for side in (before, after))
    return [
        Change(name, one.unit, one.value, second[name].value, one.spread, second[name].spread)
        for name, one in first.items()
        if name in second
    ]


def quantities(side: FilmSide, with_spacing: bool) -> dict[str, Measurement]:
    """Return areas and cardiothoracic ratios of a film by name, with their spread over the views."""
    spacing = side.film.spacing_mm if with_spacing else None
    found = {one.name: one for one in measure_masks(side.masks, spacing, side.views) if one.name in RATIOS}
    areas, repeated = _areas(side.masks, spacing), [_areas(view, spacing) for view in side.views]
    for name, value in areas.items():
        unit = "mm2" if with_spacing else "of both lungs"
        found[name] = Measurement(name, value, unit, spread_of(name, repeated))
    return found


def _areas(masks: Masks, spacing_mm: tuple[float, float] | None) -> dict[str, float]:
    counts = {name: float(mask.sum()) for name, mask in with_lungs(masks).items()}
    if spacing_mm is not None:
        return {f"{name}_area": count * spacing_mm[0] * spacing_mm[1] for name, count in counts.items()}
    whole = counts.pop("lungs")
    return {f"{name}_area": count / whole for name, count in counts.items()} if whole else {}


def _lungs(side: FilmSide) -> np.ndarray:
    return np.stack([side.small_masks["right_lung"], side.small_masks["left_lung"]])
