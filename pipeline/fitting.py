"""What is fitted once the weights are chosen: temperature, threshold, predicted quality, usual films; kept in best.pt.

All of it is fitted at the network's own size, in seconds; no weight changes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from data.augment import AugmentConfig, apply, draw_parameters
from data.dataset import Batch, FilmDataset
from data.writing import atomic_file
from db.records import MASK_STRUCTURES, STRUCTURES
from unet.calibration import NEAR, add, fit_temperature, logit_sums, mean_sums, near_border
from unet.checkpoint import load_checkpoint, save_checkpoint
from unet.device import prepare_model
from unet.inference import predict_logits
from unet.metrics import count, dice
from unet.model import with_union
from unet.postprocess import tidied
from unet.quality import fit_quality
from unet.structures import with_lungs
from unet.thresholds import choose_threshold, dice_by_threshold
from unet.traits import film_signs, film_traits
from unet.typical import fit_typical, is_fitted

MOST_FILMS = 200  # of a split, evenly spaced: more hardly improve the fits
SPOILT_FILMS = 64  # how many of them are also spoilt
SPOILING = (1.0, 1.6, 2.4)  # strength relative to training's augmentation; one copy of each film for each
BATCH = 8

Film = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
"""Logits and true masks, structure to (N, N): every structure has logits, only the drawn ones a bool mask."""


def fit_on_validation(
    path: Path, dataset: FilmDataset, rows: Sequence[int], device: torch.device, precision: str, history: Sequence[dict]
) -> None:
    """Fit temperature, threshold and quality on the films at `rows` and write them to the checkpoint at `path`, once.

    history: of all epochs, which goes there too: the checkpoint was written in its best one and knows none after it.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.validation:
        return
    model = prepare_model(checkpoint.build(), device)
    rows = evenly(rows, MOST_FILMS)

    def films(batches: Iterable[Batch]) -> Iterator[Film]:
        return (film for batch in batches for film in predict_batch(model, batch, precision))

    checkpoint.temperature = fit_temperatures(films(dataset.batches_of(rows, BATCH)))
    points = choose_thresholds(films(dataset.batches_of(rows, BATCH)), checkpoint.temperature)
    checkpoint.threshold = _of_channels({structure: point["threshold"] for structure, point in points.items()})
    spoilt = evenly(rows, SPOILT_FILMS)
    batches = [dataset.batches_of(rows, BATCH), *(_spoil(dataset.batches_of(spoilt, BATCH), much) for much in SPOILING)]
    traits, truths = [], []
    for logits, known in films(batch for part in batches for batch in part):
        planes = probabilities_of(logits, checkpoint.temperature)
        raw, tidy = tidied(planes, checkpoint.thresholds())
        traits.append(film_traits(planes, raw, tidy))
        found = with_lungs(tidy)
        truths.append({structure: dice(count(found[structure], mask)) for structure, mask in known.items()})
    patients = [dataset.records[row].patient_id for row in (*rows, *(spoilt * len(SPOILING)))]
    checkpoint.quality = fit_quality(traits, truths, patients, plain=len(rows))
    checkpoint.progress = {**checkpoint.progress, "history": list(history)}
    checkpoint.validation = {"films": len(rows), "operating_point": points}
    with atomic_file(path) as file:
        save_checkpoint(file, checkpoint)


def fit_on_training(
    path: Path,
    dataset: FilmDataset,
    train_rows: Sequence[int],
    val_rows: Sequence[int],
    device: torch.device,
    precision: str,
) -> None:
    """Fit what films usually look like to this network and write it to the checkpoint at `path`, once."""
    checkpoint = load_checkpoint(path)
    if checkpoint.typical:
        return
    model = prepare_model(checkpoint.build(), device)
    signs = []
    for rows in (evenly(train_rows, MOST_FILMS), evenly(val_rows, MOST_FILMS)):
        films = (film for batch in dataset.batches_of(rows, BATCH) for film in predict_batch(model, batch, precision))
        planes = (probabilities_of(logits, checkpoint.temperature) for logits, _ in films)
        signs.append([film_signs(film, tidied(film, checkpoint.thresholds())[1]) for film in planes])
    checkpoint.typical = fit_typical(*signs)
    with atomic_file(path) as file:
        save_checkpoint(file, checkpoint)


def inherit_fits(path: Path, init: Path) -> list[str]:
    """Take what too few films left without a fit from the network that a training began with; return in words what was taken.

    path: the new best.pt, which is written anew; init: the earlier one. Weights that have moved a little find the same pictures
    strange and fail on the same films. Nothing is taken where init is gone or its films were prepared otherwise.
    """
    checkpoint, before = load_checkpoint(path), load_checkpoint(init) if init.is_file() else None
    if before is None or before.preprocessing != checkpoint.preprocessing:
        return []
    taken = []
    if not is_fitted(checkpoint.typical) and is_fitted(before.typical):
        checkpoint.typical = before.typical
        taken.append("what chest films look like")
    if not checkpoint.quality.get("structures") and before.quality.get("structures"):
        checkpoint.quality = before.quality
        taken.append("how its masks are judged")
    if taken:
        checkpoint.progress = {**checkpoint.progress, "inherited": taken}
        with atomic_file(path) as file:
            save_checkpoint(file, checkpoint)
    return taken


def predict_batch(model: nn.Module, batch: Batch, precision: str) -> Iterator[Film]:
    """Yield each film of a batch with its logits and the true masks there are."""
    logits = with_union(predict_logits(model, batch.images, precision)).cpu().numpy()
    for own_logits, masks, known in zip(logits, batch.masks.numpy(), batch.known.numpy(), strict=True):
        drawn = {name: masks[plane] >= 0.5 for plane, name in enumerate(MASK_STRUCTURES) if known[plane]}
        yield dict(zip(MASK_STRUCTURES, own_logits, strict=True)), drawn


def probabilities_of(logits: Mapping[str, np.ndarray], temperature: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the calibrated probability of each of the network's structures, in float32."""
    return {
        name: torch.from_numpy(logits[name] / np.float32(temperature.get(name, 1.0))).sigmoid().numpy()
        for name in STRUCTURES
    }


def fit_temperatures(films: Iterable[Film]) -> dict[str, float]:
    """Return the temperature of each of the network's structures; pixels near the border and the others count alike.

    The others are thirty times as many and nearly certain: fitted on all pixels, T would make those near the border worse.
    """
    near_sums: dict[str, list] = {}
    far_sums: dict[str, list] = {}
    for logits, known in films:
        for structure, mask in known.items():
            near = near_border(mask, len(mask) / NEAR)
            near_sums.setdefault(structure, []).append(logit_sums(logits[structure], mask, near))
            far_sums.setdefault(structure, []).append(logit_sums(logits[structure], mask, ~near))
    alike = {name: add(mean_sums(add(sums[name])) for sums in (near_sums, far_sums)) for name in near_sums}
    return _of_channels({structure: fit_temperature(sums) for structure, sums in alike.items()})


def choose_thresholds(films: Iterable[Film], temperature: Mapping[str, float]) -> dict[str, dict]:
    """Return per structure the operating point as plain numbers; probabilities are calibrated by the temperature."""
    curves: dict[str, list] = {}
    for logits, known in films:
        planes = probabilities_of(logits, temperature)
        planes["lungs"] = np.maximum(planes["right_lung"], planes["left_lung"])
        for structure, mask in known.items():
            curves.setdefault(structure, []).append(dice_by_threshold(planes[structure], mask))
    return {name: {**choose_threshold(own)._asdict(), "films": len(own)} for name, own in curves.items()}


def _of_channels(values: Mapping[str, float]) -> dict[str, float]:
    """Keep the values of the network's own structures; a lung that is nowhere drawn alone takes that of the union."""
    sides = {name: values["lungs"] for name in ("right_lung", "left_lung") if "lungs" in values}
    return {name: value for name, value in {**sides, **values}.items() if name in STRUCTURES}


def _spoil(batches: Iterable[Batch], strength: float) -> Iterator[Batch]:
    """Change films and masks like training does, but `strength` times as far, so that the network fails on some of them."""
    config = replace(AugmentConfig().scaled(strength), invert=max(0.0, 0.05 * (strength - 1)))
    generator = torch.Generator().manual_seed(round(strength * 1000))
    for batch in batches:
        images, masks = apply(batch.images, batch.masks, draw_parameters(len(batch.images), config, generator))
        yield Batch(images, masks, batch.known)


def evenly(rows: Sequence[int], most: int) -> list[int]:
    """Return all rows, or, of more than `most`, that many evenly spaced ones."""
    return [rows[place * len(rows) // most] for place in range(most)] if len(rows) > most else list(rows)
