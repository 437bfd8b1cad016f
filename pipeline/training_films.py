"""Which films a training learns from, is chosen by and is tested on."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import replace

from db.asked import check_asked, query_parameters
from db.connection import connect_existing
from db.records import ImageRecord
from db.selection import query_text, select_images
from db.splits import ensure_split
from db.transactions import transaction
from pipeline.curriculum import Stage
from pipeline.train_settings import TrainConfig, asked_for
from pipeline.training_checks import check_counts, warn
from unet.checkpoint import Checkpoint


def check_folds(config: TrainConfig) -> None:
    """Refuse, before the first step, a cross-validation with a fold that cannot be trained."""
    with closing(connect_existing(config.db)) as connection:
        with transaction(connection):  # all folds are drawn, or none
            for fold in range(1, config.folds + 1):
                draw_and_select(connection, replace(config, fold=fold))


def draw_and_select(
    connection: sqlite3.Connection, config: TrainConfig
) -> tuple[str, list[ImageRecord], Counter[str | None]]:
    """Return the name of the training's split, drawn where it was not, what the query finds, and the films in each split.

    ValueError where the database or query lacks something that was asked for, or the films are not enough. What was drawn for
    a refused training is not kept, as it was drawn of too few patients, and no other process ever sees it.
    """
    with transaction(connection):
        split_set = ensure_split(connection, config.seed, config.fold, config.folds, config.leave_out)
        return split_set, *_select(connection, config, split_set)


def _select(
    connection: sqlite3.Connection, config: TrainConfig, split_set: str
) -> tuple[list[ImageRecord], Counter[str | None]]:
    query = query_text(config.query)
    check_asked(connection, query, asked_for(config))
    parameters = query_parameters(config.convention, config.provenance, config.source)
    records = _in_order(select_images(connection, query, parameters, split_set))
    check_counts(records, config)
    records, seen = without_use(records, config.leave_out)
    if seen:
        warn(
            f"{seen} films of a source that is left out are of patients who are known to the others too; they are not used"
        )
    return records, Counter(record.split for record in records)


def _in_order(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Return the films in an order that neither a query nor ingesting them again changes, as batches are drawn from it."""
    return sorted(records, key=lambda record: (record.source, record.file))


def without_use(records: Iterable[ImageRecord], leave_out: Collection[str]) -> tuple[list[ImageRecord], int]:
    """Take the films out of their split that may not teach or choose, and count those of a source that is left out.

    These are films without any mask, which teach nothing, and those of a patient who was drawn before an id of a source that
    is left out turned out to be the same person: they are no unseen films either.
    """
    used, seen = [], 0
    for record in records:
        is_left_out = record.source in leave_out and record.split != "test"
        seen += is_left_out
        idle = is_left_out or (not record.masks and record.split != "test")
        used.append(replace(record, split=None) if idle else record)
    return used, seen


def find_guests(
    connection: sqlite3.Connection, config: TrainConfig, split_set: str, records: Sequence[ImageRecord]
) -> list[ImageRecord]:
    """Return the films whose lungs are drawn with the heart's shadow inside, for a clear-field training that wants them.

    They are what the same query finds for that convention, without the films already chosen (records). Films of all splits are
    returned, so that every split set shares one cache. A query that does not use `:convention` finds none.
    """
    clear = all(mask.convention == "clear_field" for record in records for mask in record.masks)
    if not (config.guest_share and clear):
        return []
    chosen = {record.image_id for record in records}
    other = query_parameters("includes_heart", config.provenance, config.source)
    found = [
        record
        for record in _in_order(select_images(connection, query_text(config.query), other, split_set))
        if record.image_id not in chosen and any(mask.convention == "includes_heart" for mask in record.masks)
    ]
    return without_use(found, config.leave_out)[0]


def every_film(
    records: Sequence[ImageRecord], guests: Sequence[ImageRecord], stages: Sequence[Stage]
) -> list[ImageRecord]:
    """Return every film of a training once: the selection, then, with split 'train', the guests and the phantom films.

    A phantom film's image_id is that of the embedded database; in another database only its bytes identify it. One that the
    selection holds without a split, since --train-films left it out, is taught all the same, and so has its split here.
    """
    drawn = [stage.dataset.records[row] for stage in stages if stage.films == "phantom" for row in stage.rows]
    chosen = [*records, *(record for record in guests if record.split == "train")]
    known = {record.content_sha256 for record in chosen if record.split}
    phantoms = [replace(record, split="train") for record in drawn if record.content_sha256 not in known]
    taught = {record.content_sha256 for record in phantoms}
    return [*(record for record in chosen if record.content_sha256 not in taught), *phantoms]


def hashes_learnt_from(films: Iterable[ImageRecord], start: Checkpoint | None) -> list[str]:
    """Return the sorted SHA-256 of the films that a network learns from or is chosen by, and of those of `start`."""
    own = {film.content_sha256 for film in films if film.split in ("train", "val")}
    return sorted(own.union(start.learnt_from if start else ()))
