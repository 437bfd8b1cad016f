"""The stages of a training: which films, how often, and at which size.

Small squares first: a step at 5/8 of the side costs about half, and what is learnt there (where lungs are, what grey levels
mean) need not be learnt again; the exact border is learnt at the full size. Phantom films come before the first real one: their
shapes and exposures vary more than those of one hospital. The last epochs are calm: on nearly unchanged films the network
learns where each source draws the border, which strong augmentation hides.
"""

import math
from collections.abc import Container, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch

from data.cache import cache_folder
from data.dataset import FilmDataset, Preprocessing
from data.ingest import ensure_phantom
from db.connection import connect
from db.records import ImageRecord
from db.selection import query_text, select_images
from pipeline.train_settings import TrainConfig

SMALL_SIDE = 5 / 8  # of the full square: 160 of 256 pixels, which the network need not pad
CALM = 0.3  # strength of the augmentation in the last epochs


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs with the same settings.

    films: 'phantom' or 'selected'. size: side of the square in training and validation, pixels. strength: of the augmentation.
    guest_rows: of films drawn with the heart's shadow inside; `guests` of them, drawn anew, join each epoch.
    """

    films: str
    dataset: FilmDataset
    rows: Sequence[int]
    epochs: int
    size: int
    strength: float = 1.0
    guest_rows: Sequence[int] = ()
    guests: int = 0

    @property
    def count(self) -> int:
        """The films of one epoch."""
        return len(self.rows) + self.guests

    def steps(self, batch_size: int) -> int:
        """Return the optimiser steps of one epoch."""
        return math.ceil(self.count / batch_size)

    def sample(self, generator: torch.Generator) -> Sequence[int]:
        """Return the rows of one epoch, in no order that matters."""
        if not self.guests:
            return self.rows
        order = torch.randperm(len(self.guest_rows), generator=generator).tolist()
        return [*self.rows, *(self.guest_rows[i] for i in order[: self.guests])]


def plan_stages(config: TrainConfig, dataset: FilmDataset, rows: Sequence[int]) -> list[Stage]:
    """Return the stages in order, those without epochs left out. rows: of the training films in `dataset`."""
    rows = chosen_films(config, rows)
    small = max(1, round(SMALL_SIDE * config.size))
    at_first = round(config.small_share * config.epochs)
    if config.small_share < 1:  # however short the training, it ends at full size
        at_first = min(at_first, config.epochs - 1)
    at_last = min(round(config.calm_share * config.epochs), config.epochs - at_first)
    guest_rows = dataset.guest_rows()
    guests = min(round((config.guest_share or 0) * len(rows)), len(guest_rows))
    stages = [
        Stage("selected", dataset, rows, epochs, size, strength, guest_rows, guests)
        for epochs, size, strength in (
            (at_first, small, 1.0),
            (config.epochs - at_first - at_last, config.size, 1.0),
            (at_last, config.size, CALM),
        )
    ]
    if config.phantom_epochs and needs_phantom(config, [dataset.records[row] for row in rows]):
        held_out = {record.content_sha256 for record in dataset.records if record.split in ("val", "test")}
        phantom = phantom_films(config, dataset.preprocessing, held_out)
        if phantom is not None:
            stages.insert(0, Stage("phantom", phantom, range(len(phantom)), config.phantom_epochs, small))
    return [stage for stage in stages if stage.epochs]


def chosen_films(config: TrainConfig, rows: Sequence[int]) -> Sequence[int]:
    """Return the rows of one epoch without guests: all, one batch to learn by heart, or --train-films of them, drawn by the seed.

    The few are repeated, so that an epoch has about as many steps as with all: only the films differ, not the length.
    """
    if config.overfit_batch:
        return rows[: config.batch_size]
    if not 0 < config.train_films < len(rows):
        return rows
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(config.seed)).tolist()
    return [rows[i] for i in order[: config.train_films]] * round(len(rows) / config.train_films)


def needs_phantom(config: TrainConfig, records: Sequence[ImageRecord]) -> bool:
    """Tell whether phantom films would teach anything: not if the films are phantoms, or the weights are already trained."""
    drawn = all(mask.provenance == "phantom" for record in records for mask in record.masks)
    return not drawn and config.init is None and not config.overfit_batch


def phantom_films(config: TrainConfig, preprocessing: Preprocessing, held_out: Container[str]) -> FilmDataset | None:
    """Return the embedded films, drawing them first where they are not there yet; None for a convention they do not have.

    held_out: hashes of the films to choose by and to report on. The user's database may hold embedded films too: phantom
    patients with a film among these hashes are left out.
    """
    database = ensure_phantom()
    parameters = {"convention": config.convention, "provenance": "phantom", "source": "all"}
    with closing(connect(database)) as connection:
        records = select_images(connection, query_text("segmentation_images"), parameters)
    patients = {record.patient_id for record in records if record.content_sha256 in held_out}
    records = [record for record in records if record.patient_id not in patients]
    return FilmDataset(records, preprocessing, cache_folder(database)) if records else None


def stage_at(stages: Sequence[Stage], epoch: int) -> Stage:
    """Return the stage that epoch number `epoch` (from 0) belongs to; past the end, the last one."""
    for stage in stages:
        if epoch < stage.epochs:
            return stage
        epoch -= stage.epochs
    return stages[-1]


def best_epoch(history: Sequence[dict]) -> dict | None:
    """Return the row of the best epoch so far, the first of equal ones; only epochs of the latest size compete."""
    if not history:
        return None
    rivals = [row for row in history if row["size"] == history[-1]["size"]]
    return max(rivals, key=lambda row: (row["score"], -row["epoch"]))
