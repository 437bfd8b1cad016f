"""Films through the network and against their masks: one result per film."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.masks import encode_mask, load_masks
from data.measurements import measure_masks
from data.overlay import encode_picture, heat, overlay
from data.reading import read_image
from data.writing import atomic_file
from db.records import ImageRecord
from pipeline.measuring import measure_views
from pipeline.predictor import Predictor
from pipeline.probabilities import film_probabilities
from pipeline.scoring import score_film, with_lungs
from report.film_result import FilmResult

READ_AHEAD = 2  # films decoded while the network works on another


@dataclass(frozen=True)
class Wanted:
    """What to make beside the scores. mask_folder: for <structure>/<film's stem>.png, or None. maps: draw the uncertainty."""

    mask_folder: Path | None = None
    maps: bool = False


def evaluate_films(
    predictor: Predictor, records: Sequence[ImageRecord], wanted: Wanted
) -> Iterator[tuple[ImageRecord, FilmResult | str]]:
    """Yield each film with its result, or with the reason why it could not be read."""
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        for record, loaded in zip(records, pool.map(_load, records), strict=True):
            yield record, loaded if isinstance(loaded, str) else evaluate_film(predictor, record, *loaded, wanted)


def evaluate_film(
    predictor: Predictor, record: ImageRecord, image: np.ndarray, masks_true: dict[str, np.ndarray], wanted: Wanted
) -> FilmResult:
    """Predict and score one film that was read: image (H, W) in [0, 1], masks_true structure to bool (H, W), maybe none."""
    logits, box = predictor.logits(image)
    masks_pred = predictor.film_masks(logits, box)
    if wanted.mask_folder is not None:
        write_masks(wanted.mask_folder, Path(record.file).stem, with_lungs(masks_pred))
    shown = masks_true if "lungs" not in masks_true else {"lungs": masks_true["lungs"]}
    doubt = encode_picture(heat(image, predictor.spread(logits, box)), "JPEG") if wanted.maps else None
    return FilmResult(
        record,
        score_film(record, masks_pred, masks_true),
        encode_picture(overlay(image, masks_pred, shown), "JPEG"),
        quality=predictor.quality(logits),
        measured=measure_views(predictor, logits, box, masks_pred, record.spacing_mm),
        measured_true=measure_masks(masks_true, record.spacing_mm),
        probabilities=film_probabilities(predictor, logits, box, with_lungs(masks_true)),
        disagreement=predictor.disagreement(logits),
        uncertainty=doubt,
    )


def write_masks(folder: Path, stem: str, masks: dict[str, np.ndarray]) -> None:
    """Write each mask as folder/<structure>/<stem>.png: 0 outside, 255 inside; not durable, see `atomic_file`."""
    for structure, mask in masks.items():
        (folder / structure).mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / structure / f"{stem}.png", durable=False) as file:
            file.write(encode_mask(mask))


def _load(record: ImageRecord) -> tuple[np.ndarray, dict[str, np.ndarray]] | str:
    try:
        return read_image(record.path, record.photometric_interpretation), load_masks(record)
    except (ValueError, OSError) as error:
        return " ".join(str(error).split())
