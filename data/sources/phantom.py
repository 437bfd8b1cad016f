"""The embedded films as a hospital would export them: several studies per patient, gaps in the facts, other pictures among
the films, and a few rows that are broken.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from data.masks import encode_mask
from data.overlay import encode_picture
from data.phantom.anatomy import draw_patient
from data.phantom.distractors import KINDS, draw_distractor
from data.phantom.film import Phantom, draw_film
from data.writing import atomic_file
from db.records import SourceFilm, SourceMask

SIZE = 512
JPEG_QUALITY = 92
BROKEN_ROWS = 5  # see `_broken_rows`
FACTS = {
    "ct": {"modality": "CT", "view_position": None, "body_part_examined": "CHEST"},
    "mr": {"modality": "MR", "view_position": None, "body_part_examined": "CHEST"},
    "lateral": {"modality": "DX", "view_position": "LL", "body_part_examined": "CHEST"},
    "hand": {"modality": "DX", "view_position": "PA", "body_part_examined": "HAND"},
}


class Order(NamedTuple):
    """One film to draw: everything that its pixels depend on, so that it can be drawn by any process."""

    seed: int
    index: int
    patient: int
    visit: int


def generate(folder: Path, count: int = 300, seed: int = 0) -> Iterator[SourceFilm]:
    """Draw `count` frontal films into folder/images and folder/masks, and some other rows; yield the rows.

    The same seed gives the same bytes, and a larger count the same films and more. Pictures are drawn by as many processes
    as there are cores.
    """
    if count < 1:
        raise ValueError(f"--count {count}: wanted 1 or more")
    for name in ("images", *(f"masks/{structure}" for structure in ("right_lung", "left_lung", "heart"))):
        (folder / name).mkdir(parents=True, exist_ok=True)
    orders = list(_orders(count, seed))
    jobs = [(folder, order) for order in orders]
    workers = min(os.cpu_count() or 1, count)
    if workers == 1:
        yield from map(_draw_one, jobs)
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            yield from pool.map(_draw_one, jobs, chunksize=4)
    yield from _other_pictures(folder, _others(count), seed)
    yield from _broken_rows(folder, orders, seed)


def count_rows(count: int) -> int:
    """Return how many rows `generate` yields for so many frontal films."""
    return count + _others(count) + BROKEN_ROWS


def _others(count: int) -> int:
    return max(2, count // 12)


def _orders(count: int, seed: int) -> Iterator[Order]:
    """Deal the films out to patients: one to four visits each."""
    index = patient = 0
    while index < count:
        visits = int(np.random.default_rng([seed, 2, patient]).choice([1, 1, 1, 2, 2, 3, 4]))
        for visit in range(min(visits, count - index)):
            yield Order(seed, index, patient, visit)
            index += 1
        patient += 1


def _draw_one(job: tuple[Path, Order]) -> SourceFilm:
    folder, order = job
    patient = draw_patient(np.random.default_rng([order.seed, 3, order.patient]))
    rng = np.random.default_rng([order.seed, 4, order.index])
    phantom = draw_film(patient, "AP" if rng.random() < 0.3 else "PA", rng, SIZE)
    stem = f"film{order.index:05d}"
    inverted = rng.random() < 0.08
    stored = 255 - phantom.image if inverted else phantom.image
    _write_jpeg(folder / "images" / f"{stem}.jpg", stored)
    masks = []
    for structure, mask in phantom.masks.items():
        file = f"masks/{structure}/{stem}.png"
        with atomic_file(folder / file) as target:
            target.write(encode_mask(mask))
        masks.append(SourceMask(structure=structure, convention="clear_field", provenance="phantom", file=file))
    return _row(order, stem, phantom, inverted, tuple(masks), rng)


def _row(
    order: Order, stem: str, phantom: Phantom, inverted: bool, masks: tuple[SourceMask, ...], rng: np.random.Generator
) -> SourceFilm:
    """Fill in the facts as incompletely as hospitals do."""
    facts = phantom.facts
    person = np.random.default_rng([order.seed, 5, order.patient])
    first = date(2015, 1, 1) + timedelta(days=int(person.integers(0, 2500)))
    days = int(sum(person.integers(2, 400) for _ in range(order.visit)))
    age = facts["age_years"] if person.random() > 0.1 else None
    if order.patient % 97 == 13:
        age = 140.0  # somebody's typing mistake, for the analysis to find
    if order.patient % 97 == 41:
        age = 0.0
    spacing = facts["pixel_spacing_mm"] if rng.random() > 0.12 else None
    return SourceFilm(
        file=f"images/{stem}.jpg",
        patient_id=f"P{order.patient:05d}",
        study_id=f"S{order.index:05d}",
        patient_sex=facts["sex"] if person.random() > 0.06 else None,
        patient_age_years=None if age is None else round(age + days / 365.25, 1),
        study_date=(first + timedelta(days=days)).isoformat(),
        offset_days=float(days),
        modality="CR" if rng.random() < 0.3 else "DX",
        view_position=facts["view"] if rng.random() > 0.02 else None,
        patient_position=facts["patient_position"],
        body_part_examined="CHEST" if rng.random() > 0.15 else None,
        photometric_interpretation="MONOCHROME1" if inverted else "MONOCHROME2",
        pixel_spacing_mm=None if spacing is None else (spacing, spacing),
        pixel_spacing_origin=None if spacing is None else "ImagerPixelSpacing",
        findings=facts["findings"],
        masks=masks,
        measurements=phantom.measurements,
    )


def _other_pictures(folder: Path, count: int, seed: int) -> Iterator[SourceFilm]:
    """CT, MR, lateral films and hands, of patients who also have chest films."""
    for index in range(count):
        kind = KINDS[index % len(KINDS)]
        rng = np.random.default_rng([seed, 6, index])
        file = f"images/{kind}{index:04d}.jpg"
        _write_jpeg(folder / file, draw_distractor(kind, rng))
        yield SourceFilm(file=file, patient_id=f"P{index:05d}", study_id=f"X{index:05d}", **FACTS[kind])


def _broken_rows(folder: Path, orders: list[Order], seed: int) -> Iterator[SourceFilm]:
    """Rows as they come out of damaged exports, and one person registered twice."""
    rng = np.random.default_rng([seed, 7])
    facts = {"modality": "DX", "view_position": "PA"}
    picture = draw_distractor("ct", rng)
    yield SourceFilm(file="images/lost.jpg", patient_id="P00000", study_id="B1", **facts)
    whole = encode_picture(picture, "JPEG")
    with atomic_file(folder / "images/truncated.jpg") as target:
        target.write(whole[: len(whole) // 2])
    yield SourceFilm(file="images/truncated.jpg", patient_id="P00001", study_id="B2", **facts)
    grey = np.uint8(rng.integers(0, 256, picture.shape))
    for name, mask in (("smaller", np.zeros((100, 90), np.uint8)), ("grey", grey)):
        _write_jpeg(folder / f"images/{name}.jpg", draw_distractor("lateral", rng))
        with atomic_file(folder / f"masks/heart/{name}.png") as target:
            Image.fromarray(mask).save(target, "PNG")
        wrong = SourceMask(
            structure="heart", convention="clear_field", provenance="phantom", file=f"masks/heart/{name}.png"
        )
        yield SourceFilm(file=f"images/{name}.jpg", patient_id="P00002", study_id=f"B {name}", masks=(wrong,), **facts)
    twin = f"P{orders[-1].patient:05d}"
    _write_jpeg(folder / "images/twin.jpg", draw_distractor("lateral", rng))
    yield SourceFilm(
        file="images/twin.jpg", patient_id="Q00001", study_id="B5", modality="DX", view_position="LL",
        note=f"registered before as {twin}", same_patient_as=(twin,),
    )  # fmt: skip


def _write_jpeg(path: Path, picture: np.ndarray) -> None:
    with atomic_file(path) as target:
        Image.fromarray(picture).save(target, "JPEG", quality=JPEG_QUALITY)
