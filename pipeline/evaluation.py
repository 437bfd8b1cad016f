"""Films through the network and against their masks: results per film, and what they come to over all films."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from data.masks import encode_mask, load_masks
from data.measurements import measure_masks
from data.overlay import encode_picture, overlay
from data.reading import read_image
from data.writing import atomic_file
from db.records import MASK_STRUCTURES, ImageRecord
from db.scores import METRIC_COLUMNS
from pipeline.measuring import measure_predicted
from pipeline.predictor import Predictor
from pipeline.scoring import score_film, with_lungs
from report.evaluation import GOOD_DICE, FilmResult
from unet.summary import summarise

READ_AHEAD = 2  # films decoded while the network works on another


def evaluate_films(
    predictor: Predictor, records: Sequence[ImageRecord], mask_folder: Path | None
) -> Iterator[tuple[ImageRecord, FilmResult | str]]:
    """Yield each film with its result, or with the reason why it could not be read.

    mask_folder: where predicted masks are written as <structure>/<film's stem>.png, or None.
    """
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        for record, loaded in zip(records, pool.map(_load, records), strict=True):
            if isinstance(loaded, str):
                yield record, loaded
                continue
            image, masks_true = loaded
            masks_pred = predictor.masks(image)
            if mask_folder is not None:
                write_masks(mask_folder, Path(record.file).stem, with_lungs(masks_pred))
            shown = masks_true if "lungs" not in masks_true else {"lungs": masks_true["lungs"]}
            picture = encode_picture(overlay(image, masks_pred, shown), "JPEG")
            measured = measure_predicted(predictor, image, masks_pred, record)
            measured_true = measure_masks(masks_true, record.spacing_mm)
            scores = score_film(record, masks_pred, masks_true)
            yield record, FilmResult(record, scores, picture, measured, measured_true)


def write_masks(folder: Path, stem: str, masks: dict[str, np.ndarray]) -> None:
    """Write each mask as folder/<structure>/<stem>.png: 0 outside, 255 inside."""
    for structure, mask in masks.items():
        (folder / structure).mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / structure / f"{stem}.png") as file:
            file.write(encode_mask(mask))


def summarise_results(results: Sequence[FilmResult]) -> dict:
    """Return the numbers of summary.json: per structure and metric mean, interval, median, 5th percentile, counts; by source."""
    rows = [
        {**row, "patient": result.record.patient_id, "source": result.record.source}
        for result in results
        for row in result.scores
    ]
    structures, by_source = {}, {}
    for structure in MASK_STRUCTURES:
        own = [row for row in rows if row["structure"] == structure]
        if own:
            structures[structure] = {
                **{metric: column for metric in METRIC_COLUMNS if (column := _column(own, metric)) is not None},
                "empty": dict(Counter(row["empty"] for row in own)),
            }
    for source in sorted({row["source"] for row in rows}):
        by_source[source] = {
            structure: _column(
                [row for row in rows if row["source"] == source and row["structure"] == structure], "dice"
            )
            for structure in structures
            if any(row["source"] == source and row["structure"] == structure for row in rows)
        }
    patients = {result.record.patient_id for result in results}
    return {"films": len(results), "patients": len(patients), "structures": structures, "by_source": by_source}


def _column(rows: Sequence[dict], metric: str) -> dict | None:
    """Summarise one metric; distances only over the films that have them in that unit, which is what `films` counts."""
    with_metric = [row for row in rows if metric in row]
    if not with_metric:
        return None
    summary = summarise([row[metric] for row in with_metric], [row["patient"] for row in with_metric], GOOD_DICE)
    if summary is None:
        return None
    values = {"films": summary.films, "undefined": summary.undefined, "mean": summary.mean.value, "low": summary.mean.low,
              "high": summary.mean.high, "median": summary.median, "p5": summary.p5, "worst": summary.worst}  # fmt: skip
    return {**values, "below": summary.below} if metric == "dice" else values


def _load(record: ImageRecord) -> tuple[np.ndarray, dict[str, np.ndarray]] | str:
    try:
        return read_image(record.path, record.photometric_interpretation), load_masks(record)
    except (ValueError, OSError) as error:
        return " ".join(str(error).split())
