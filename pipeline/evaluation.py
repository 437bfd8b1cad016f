"""Films through the network and against their masks: one result per film."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cli.memory import lacks_memory
from cli.parallel import map_in_order
from data.found_films import names_for
from data.loading import load_record
from data.masks import encode_mask, load_masks
from data.measurements import measure_masks
from data.overlay import encode_picture, heat, overlay
from data.reasons import reason
from data.writing import atomic_file
from db.records import MASK_STRUCTURES, ImageRecord
from pipeline.film_view import placement_in_words, stored_mirrored
from pipeline.predictor import Predictor
from pipeline.probabilities import film_probabilities
from pipeline.scoring import score_film
from report.film_result import FilmResult
from unet.quality import predict_quality
from unet.structures import with_lungs

READERS = 2  # threads that decode films while the network works on another; each holds two films at most


@dataclass(frozen=True)
class Wanted:
    """What to make beside the scores.

    mask_folder: for <structure>/<name>.png. mask_names: by image_id; no masks are written for a film without one. maps: draw
    where the network is unsure.
    """

    mask_folder: Path
    mask_names: Mapping[int, str] = field(default_factory=dict)
    maps: bool = False


def evaluate_films(
    predictor: Predictor, records: Sequence[ImageRecord], wanted: Wanted
) -> Iterator[tuple[ImageRecord, FilmResult | str]]:
    """Yield each film with its result, or with the reason why it could not be read or is too large for the memory."""
    for record, loaded in zip(records, map_in_order(_load, records, READERS), strict=True):
        if isinstance(loaded, str):
            yield record, loaded
            continue
        try:
            outcome = evaluate_film(predictor, record, *loaded, wanted)
        except (MemoryError, RuntimeError) as error:
            if not lacks_memory(error):
                raise
            outcome = reason(error, record.path)
        yield record, outcome


def evaluate_film(
    predictor: Predictor, record: ImageRecord, image: np.ndarray, masks_true: dict[str, np.ndarray], wanted: Wanted
) -> FilmResult:
    """Predict and score one film that was read: image (H, W) in [0, 1], masks_true structure to bool (H, W), maybe none."""
    logits, box = predictor.logits(image)
    masks_pred, traits = predictor.film_masks(logits, box), predictor.traits(logits)
    name = wanted.mask_names.get(record.image_id)
    if name is not None:
        write_masks(wanted.mask_folder, name, with_lungs(masks_pred))
    doubt = encode_picture(heat(image, predictor.spread(logits, box)), "JPEG") if wanted.maps else None
    return FilmResult(
        record,
        score_film(record, masks_pred, masks_true),
        encode_picture(overlay(image, masks_pred, drawn_once(masks_true)), "JPEG"),
        quality=predict_quality(predictor.checkpoint.quality, traits),
        measured=measure_masks(masks_pred, record.spacing_mm, predictor.view_masks(logits, box)),
        measured_true=measure_masks(masks_true, record.spacing_mm),
        probabilities=film_probabilities(predictor, logits, box, with_lungs(masks_true)),
        disagreement=predictor.disagreement(logits),
        uncertainty=doubt,
        mask_name=name,
        remarks=(
            *stored_mirrored((record.note or "").split("; ")),
            *placement_in_words(predictor, image, traits.signs),
        ),
    )


def drawn_once(masks_true: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the masks without single lungs where both lungs are one mask too, whose contour is enough."""
    sides = ("right_lung", "left_lung") if "lungs" in masks_true else ()
    return {structure: mask for structure, mask in masks_true.items() if structure not in sides}


def mask_names(records: Iterable[ImageRecord]) -> dict[int, str]:
    """Return the name of each film's masks by image_id: its stem, followed by a number where several films share it."""
    places = {record.image_id: Path(record.source) / record.file for record in records}
    names = names_for(places.values())
    return {image_id: names[place] for image_id, place in places.items()}


def write_masks(folder: Path, name: str, masks: dict[str, np.ndarray]) -> None:
    """Write each mask as folder/<structure>/<name>.png: 0 outside, 255 inside; not durable, see `atomic_file`."""
    for structure, mask in masks.items():
        (folder / structure).mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / structure / f"{name}.png", durable=False) as file:
            file.write(encode_mask(mask))


def remove_masks(folder: Path, names: Iterable[str]) -> None:
    """Remove what `write_masks` wrote under these names."""
    for name in names:
        for structure in MASK_STRUCTURES:
            (folder / structure / f"{name}.png").unlink(missing_ok=True)


def _load(record: ImageRecord) -> tuple[np.ndarray, dict[str, np.ndarray]] | str:
    try:
        return load_record(record), load_masks(record)
    except Exception as error:  # one odd film must not keep the others from being scored
        return reason(error, record.path)
