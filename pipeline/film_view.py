"""What the network makes of one film: its orientation, its masks, measurements, and how far to trust them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.dicom_attributes import STORED_MIRRORED
from data.loading import LoadedFilm
from data.measurements import Measurement, measure_masks
from pipeline.doubts import doubts, doubts_of_quality, doubts_of_spacing, remarks_of_edge, remarks_of_tilt
from pipeline.orientation import AS_STORED, Placement, find_placement, place, turn_in_words, unplace
from pipeline.predictor import Predictor
from report.known_errors import UNCHECKED, UNJUDGED, UNJUDGED_LUNGS
from unet.quality import predict_quality
from unet.traits import mirrored_signs
from unet.typical import strangeness

PERHAPS_INVERTED = "perhaps stored with inverted grey levels: state its photometric interpretation and ingest again"
UNLIKE = "unlike the chest films the network knows"
SEEN = "the network has learnt from this film or was chosen by it: expect worse masks on new films"


class FilmView(NamedTuple):
    """image, masks: (H, W), the film as the network saw it. stored: the same masks on the film as it is stored.

    review: what makes the masks doubtful, in words; remarks: what else was seen or done. predicted_dice: by structure;
    strangeness: above 1 the film is unlike the training's; empty and None where the checkpoint cannot say. views: the masks of
    each test-time view, none without them.
    """

    image: np.ndarray
    masks: dict[str, np.ndarray]
    stored: dict[str, np.ndarray]
    measurements: tuple[Measurement, ...]
    review: tuple[str, ...]
    remarks: tuple[str, ...]
    predicted_dice: Mapping[str, float]
    strangeness: float | None
    views: Sequence[Mapping[str, np.ndarray]]


def with_header(view: FilmView, film: LoadedFilm, learnt_from: Collection[str]) -> FilmView:
    """Return a view with what the film's header says besides, and whether the network knows the film.

    learnt_from: SHA-256 of the films that it learnt from or was chosen by. A film stored mirrored is a reason to doubt the masks,
    whose left and right are then exchanged.
    """
    seen = [SEEN] if film.sha256 in learnt_from else []
    return view._replace(
        review=(*stored_mirrored(film.remarks), *view.review), remarks=(*film.remarks, *view.remarks, *seen)
    )


def view_film(
    predictor: Predictor, image: np.ndarray, spacing_mm: tuple[float, float] | None, fix_orientation: bool | None
) -> FilmView:
    """Predict one film (H, W) in [0, 1]. Inverted grey levels are corrected, a rotation only with `fix_orientation`.

    fix_orientation: None where the caller's user cannot ask for it.
    """
    logits, box = predictor.logits(image)
    traits = predictor.traits(logits)
    found, applied, fit = AS_STORED, AS_STORED, predictor.checkpoint.typical
    strange = strangeness(fit, traits.signs)
    if strange is not None:
        found = look_again(predictor, image, traits.signs)
        applied = Placement(found.inverted, False, found.quarter_turns if fix_orientation else 0)
    if applied != AS_STORED:
        image = place(image, applied)
        logits, box = predictor.logits(image)
        traits = predictor.traits(logits)
        strange = strangeness(fit, traits.signs)
        spacing_mm = spacing_mm[::-1] if spacing_mm and applied.quarter_turns % 2 else spacing_mm
    masks, views = predictor.film_masks(logits, box), predictor.view_masks(logits, box)
    quality = predict_quality(predictor.checkpoint.quality, traits)
    measurements = measure_masks(masks, spacing_mm, views)
    known_why = found.quarter_turns != applied.quarter_turns
    unlike = strange is not None and strange > 1 and not known_why
    return FilmView(
        image,
        masks,
        {name: unplace(mask, applied) for name, mask in masks.items()},
        measurements,
        (
            *_lies(found, applied, fix_orientation is not None),
            *([UNLIKE] if unlike else []),
            *doubts(masks, box.crop_height * box.crop_width),
            *(["no heart"] if "heart" in quality and not masks["heart"].any() else []),
            *doubts_of_spacing(measurements),
            *doubts_of_quality(quality),
        ),
        (
            *_done(applied),
            *remarks_of_tilt(measurements),
            *remarks_of_edge(masks, box),
            *([UNCHECKED] if strange is None else []),
            *([UNJUDGED_LUNGS] if "lungs" not in quality else []),
            *([UNJUDGED] if "heart" not in quality else []),
        ),
        {name: one.predicted_dice for name, one in quality.items()},
        strange,
        views,
    )


def stored_mirrored(remarks: Iterable[str]) -> tuple[str, ...]:
    """Return those of a header's remarks that call its pixels mirrored, often none."""
    return tuple(remark for remark in remarks if remark.startswith(STORED_MIRRORED))


def placement_in_words(predictor: Predictor, image: np.ndarray, signs: np.ndarray) -> tuple[str, ...]:
    """Say in which placement a film (H, W) in [0, 1] that is strange as it is stored, by its signs, would be less strange."""
    strange = strangeness(predictor.checkpoint.typical, signs)
    if strange is None or strange <= 1:
        return ()
    found = look_again(predictor, image, signs)
    return (*([PERHAPS_INVERTED] if found.inverted else []), *_lies(found, AS_STORED, fixable=False))


def look_again(predictor: Predictor, image: np.ndarray, signs: np.ndarray) -> Placement:
    """Return the placement of a stored film (H, W) in [0, 1], given its signs; the checkpoint must hold the training's shapes."""
    typical = predictor.checkpoint.typical
    reflected = strangeness(typical, mirrored_signs(signs))
    return find_placement(strangeness(typical, signs), reflected, lambda placement: judge(predictor, image, placement))


def judge(predictor: Predictor, image: np.ndarray, placement: Placement) -> float:
    """Return how strange a stored film (H, W) in [0, 1] is in a placement; the checkpoint must hold the training's shapes."""
    signs = predictor.signs(predictor.logits(place(image, placement))[0])
    return strangeness(predictor.checkpoint.typical, signs)


def _lies(found: Placement, applied: Placement, fixable: bool) -> list[str]:
    """Say what is wrong with the film's orientation and was not corrected."""
    words = ["perhaps mirrored: the heart lies on the wrong side"] if found.mirrored else []
    if found.quarter_turns != applied.quarter_turns:
        advice = "; --fix-orientation turns it back" if fixable else ""
        words.append(f"seems turned by {turn_in_words(found)}{advice}")
    return words


def _done(applied: Placement) -> list[str]:
    words = ["grey levels seem stored inverted: corrected"] if applied.inverted else []
    if applied.quarter_turns:
        words.append(f"seems turned by {turn_in_words(applied)}: turned back for the network, the masks lie as stored")
    return words
