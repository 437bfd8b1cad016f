"""What is refused or warned about before the first step of a training."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.loading import hash_file
from db.records import ImageRecord
from pipeline.train_settings import PRESETS, TrainConfig
from pipeline.trained_on import patients_trained_on
from report.run_folder import read_facts
from unet.checkpoint import Checkpoint
from unet.distributed import is_first
from unet.quality import LEAST_PATIENTS
from unet.typical import LEAST_FILMS, is_fitted


def check_counts(records: Sequence[ImageRecord], config: TrainConfig) -> None:
    """Refuse a selection that cannot be trained on, and say why."""
    counts = Counter(record.split for record in records)
    drawn = Counter(record.split for record in records if record.masks)
    if not records:
        raise ValueError(
            f"the selection {config.query} finds no film in {config.db}; `python analyze.py --db {config.db}` shows what each "
            f"condition removes (films need a mask and must state a modality, CR or DX, and a view, PA or AP); now "
            f"--convention {config.convention} --provenance {','.join(config.provenance)} --source {','.join(config.source)}"
            + (
                ""
                if config.query == TrainConfig.query
                else f"; what {config.query} asks for besides is not in that table"
            )
        )
    if not drawn:
        raise ValueError(f"none of the {len(records)} films that {config.query} selects has a mask to learn from")
    if config.leave_out and not counts["train"]:
        raise ValueError(
            f"--leave-out {','.join(config.leave_out)} leaves none of the {len(records)} films to train on; leave out fewer"
        )
    if config.train_films > drawn["train"]:
        raise ValueError(
            f"--train-films {config.train_films}: there are {drawn['train']} films to train on; ask for fewer, or leave it out "
            "to train on all"
        )
    patients = len({record.patient_id for record in records})
    way_out = f"try another --seed{' or fewer --folds' if config.folds else ''}"
    if patients == 1:
        way_out = f"give each person an own patient_id, if {records[0].patient_id} stands for several"
    of_fold = f" of fold {config.fold}" if config.folds else ""
    for split in ("train", "val", "test") if config.folds else ("train", "val"):
        if not counts[split]:
            raise ValueError(
                f"no film of {len(records)} ({patients} patients) fell into the {split} split{of_fold}; the split is by patient: "
                f"ingest more patients, or {way_out}"
            )
    for split in ("train", "val"):
        if not drawn[split]:
            raise ValueError(
                f"none of the {counts[split]} films in the {split} split{of_fold} has a mask; ingest the masks of more "
                f"patients, or {way_out}"
            )
    if not counts["test"]:
        warn("no film fell into the test split: there will be nothing to report on")


def already_known(init: Path | None, start: Checkpoint | None, records: Sequence[ImageRecord]) -> list[str]:
    """Return a warning if films kept for testing are of patients whom the given weights have seen; often none.

    Where the split.csv of their training is missing, only films of the same bytes are recognised.
    """
    if start is None:
        return []
    try:
        patients = patients_trained_on(init, as_far_as_known=True)
    except FileNotFoundError:
        patients = set()
    films = set(start.learnt_from)
    kept = [record for record in records if record.split == "test"]
    known = sum(record.patient_id in patients or record.content_sha256 in films for record in kept)
    if not known:
        return []
    return [
        f"--init {init} has learnt from patients of {known} of the {len(kept)} films that are kept for testing here: what is "
        "reported on them will be too good, and evaluate.py refuses it for films that it knows by their bytes; for the same "
        "split use the --seed and the folds that it was trained with, and ingest the films under the source names they had then"
    ]


def too_few_to_fit(records: Sequence[ImageRecord], start: Checkpoint | None = None) -> list[str]:
    """Return what the checkpoint will lack, since the selection has too few films to fit it on; often nothing.

    start: the weights of --init, whose fits it takes instead where they have some.
    """
    judged = start is not None and bool(start.quality.get("structures"))
    judges = {record.patient_id for record in records if record.split == "val" and record.masks}
    films = sum(record.split == "train" for record in records)
    warnings = []
    if len(judges) < LEAST_PATIENTS:
        warnings.append(
            f"validation patients with masks: {len(judges)}. The best epoch, thresholds and temperatures are chosen by few"
            + (
                ""
                if judged
                else f", and below {LEAST_PATIENTS} no Dice of new films is predicted: none calls a mask doubtful"
            )
        )
    if films < LEAST_FILMS and not (start and is_fitted(start.typical)):
        warnings.append(
            f"films to train on: {films}. Below {LEAST_FILMS} nothing is fitted that recognises pictures unlike chest films"
        )
    return warnings


def contents_hash(records: Iterable[ImageRecord]) -> str:
    """Return a hash of which bytes are in which split, and of the masks that are learnt from or chosen by, in any order.

    It stays the same when films are ingested again, under other ids or from another folder.
    """
    lines = []
    for record in records:
        masks = record.masks if record.split in ("train", "val") else ()
        drawn = sorted((m.structure, m.convention, m.lung_value, m.rle or hash_file(m.path)) for m in masks)
        lines.append(repr((record.content_sha256, record.split, drawn)))
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def check_unchanged(folder: Path, facts: dict) -> None:
    """Refuse to continue a training with other films, splits, masks or stages than it was begun with."""
    before = read_facts(folder)  # an older release wrote fewer facts
    for name in ("split_set", "films", "guests", "stages"):
        if name in before and before[name] != facts[name]:
            raise ValueError(
                f"--resume {folder}: was begun with {name} {before[name]}, the database gives {facts[name]} now; bring the films "
                "back, or begin a new training"
            )
    if "contents" in before and before["contents"] != facts["contents"]:
        raise ValueError(
            f"--resume {folder}: was begun with as many films, but not the same ones, or with other splits or masks of them "
            f"(contents {before['contents'][:12]} then, {facts['contents'][:12]} now); bring them back, or begin a new training"
        )


def warn(message: str) -> None:
    """Print a warning to stderr, once for all processes."""
    if is_first():
        print(f"warning: {message}", file=sys.stderr, flush=True)


def without_effect(config: TrainConfig, phantom: bool, guests: int) -> list[str]:
    """Return which settings change nothing on these films, as far as they are not the preset's own.

    phantom: whether the training begins with phantom films; guests: how many of the other convention join an epoch.
    """
    idle = {
        "phantom_epochs": (phantom, "the films are phantoms already, or none is drawn in their convention"),
        "guest_share": (
            guests,
            "no film drawn with the heart's shadow inside joins films of the clear field: there is none, or the share is none",
        ),
    }
    return [
        f"--{name.replace('_', '-')} {getattr(config, name)} changes nothing: {why}"
        for name, (used, why) in idle.items()
        if getattr(config, name) and not used and getattr(config, name) != PRESETS[config.preset][name]
    ]
