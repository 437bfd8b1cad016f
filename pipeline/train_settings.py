"""The settings of `train.py`: one frozen dataclass, its presets, and what fills in settings left open."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cli.settings import setting, settings_from_dict
from data.ingest import ensure_phantom
from data.intensity import METHODS
from db.records import CONVENTIONS
from db.selection import QUERIES
from pipeline.predictor import MOST_SIZE, check_structures
from report.run_folder import read_json
from unet.checkpoint import load_checkpoint
from unet.device import PRECISIONS
from unet.muon import OPTIMIZERS

PRESETS = {
    "fast": {
        "epochs": 12, "phantom_epochs": 0, "guest_share": 0.0, "small_share": 0.6, "calm_share": 0.2, "size": 256, "base": 32,
    },
    "accurate": {
        "epochs": 24, "phantom_epochs": 6, "guest_share": 1 / 3, "small_share": 0.55, "calm_share": 1 / 3,
        "size": 256, "base": 32,
    },
}  # fmt: skip
FROM_RANDOM = {"optimizer": "muon", "learning_rate": 2e-3}
# small steps, so that what the weights have learnt is kept
FROM_TRAINED = {"optimizer": "adamw", "learning_rate": 3e-4, "small_share": 0.0}
LARGEST_SEED = 10**12  # random numbers are drawn from (seed, epoch) in one number of 64 bits
LEAST_SIZE = 64  # pixels; below, the deepest layer of a small square is one pixel, which a batch norm cannot take
OVERFIT_STEPS, OVERFIT_DICE = 150, 0.95
NOT_BY_HEART = ("epochs", "phantom_epochs", "guest_share", "small_share", "calm_share", "train_films", "blend")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `train.py`."""

    db: Path | None = setting(None, "database of films; without it the embedded phantom films are used")
    out: Path | None = setting(None, "folder for the results; without it runs/train-DATE-TIME")
    preset: str = setting("fast", "how long, how large and on what to train", choices=tuple(PRESETS))
    query: str = setting("segmentation_images", "own selection: FILE.sql, or the name of one in db/queries")
    convention: str = setting("clear_field", "what counts as lung in the masks", choices=CONVENTIONS)
    provenance: tuple[str, ...] = setting(("manual", "landmark", "phantom"), "whose masks to trust")
    source: tuple[str, ...] = setting(("all",), "names of the sources to use")
    seed: int = setting(0, "seed of the split, the start weights, the order and the augmentation")
    train_films: int = setting(0, "train on only so many of the training films, each seen the more often; 0: all")
    epochs: int | None = setting(None, "times every film is seen (set by --preset)")
    phantom_epochs: int | None = setting(None, "epochs on the embedded phantom films before that (set by --preset)")
    guest_share: float | None = setting(
        None,
        "films drawn with the heart's shadow inside (convention includes_heart) that join each epoch of clear_field, as a share "
        "of its own: they teach what holds in both conventions (set by --preset)",
    )
    small_share: float | None = setting(
        None, "share of the epochs in squares of 5/8 of --size, before those of --size (set by --preset; with --init 0)"
    )
    calm_share: float | None = setting(
        None, "share of the epochs, the last ones, with 0.3 of the augmentation's strength (set by --preset)"
    )
    size: int | None = setting(None, "side of the network's square, pixels (set by --preset)")
    base: int | None = setting(None, "channels of the network's first level (set by --preset)")
    batch_size: int = setting(4, "films per optimiser step")
    optimizer: str | None = setting(
        None,
        "what moves the weights of convolutions (muon; with --init adamw); the others have AdamW",
        choices=OPTIMIZERS,
    )
    learning_rate: float | None = setting(
        None, "peak learning rate of AdamW, a twentieth of Muon's (2e-3; with --init 3e-4)"
    )
    weight_decay: float = setting(1e-2, "weight decay of both")
    average_decay: float = setting(0.995, "decay of the moving average of the weights, per step")
    dice_weight: float = setting(1.0, "weight of the Dice term beside the cross entropy")
    heart_weight: float = setting(1.0, "how much the heart counts in the loss, each lung and their union counting 1")
    intensity: str = setting("percentile", "how grey levels are standardised", choices=METHODS)
    augment: bool = setting(True, "augment the training films")
    resume: Path | None = setting(
        None, "folder of a stopped training to go on with as it was begun; only --db may be given too"
    )
    init: Path | None = setting(None, "checkpoint whose weights to start from (fine-tuning)")
    blend: float = setting(0.3, "with --init: how far the kept weights go from those (0) to the fine-tuned ones (1)")
    folds: int = setting(0, "cross-validate by patient in this many folds, in OUT/fold1 ...; 0: one split")
    fold: int = setting(0, "train only this one of the folds, in OUT itself; 0: all of them")
    leave_out: tuple[str, ...] = setting((), "sources to keep entirely for testing")
    overfit_batch: bool = setting(False, f"check the set-up: {OVERFIT_STEPS} steps on one batch, without augmentation")
    device: str = setting("auto", "auto, cpu, cuda or mps")
    precision: str = setting("auto", "number format of the convolutions", choices=PRECISIONS)


def complete(config: TrainConfig) -> TrainConfig:
    """Fill in what the preset, the embedded films and today's date decide, and refuse what makes no sense."""
    out = config.out or Path("runs") / f"train-{datetime.now():%Y%m%d-%H%M%S}"
    refuse_used(out)
    if config.folds and config.leave_out:
        raise ValueError("--folds and --leave-out both decide who is tested; use one of them")
    if config.folds == 1 or config.folds < 0:
        raise ValueError(f"--folds {config.folds}: wanted 2 or more, or 0 for one split")
    if config.fold and not config.folds:
        raise ValueError(f"--fold {config.fold} changes nothing without --folds")
    if not 0 <= config.fold <= config.folds:
        raise ValueError(f"--fold {config.fold}: wanted 1 to {config.folds} (--folds), or 0 for all")
    if not 0 < config.blend <= 1:
        raise ValueError(f"--blend {config.blend}: wanted more than 0 and at most 1")
    if config.init is None and config.blend != TrainConfig.blend:
        raise ValueError(f"--blend {config.blend} changes nothing without --init")
    if config.init is not None and config.phantom_epochs:
        raise ValueError(
            f"--phantom-epochs {config.phantom_epochs} changes nothing with --init: its weights have learnt more"
        )
    if config.init is not None:
        config = replace(config, base=base_of_weights(config))
    if config.overfit_batch and config.folds and not config.fold:
        raise ValueError("--overfit-batch looks at one batch; with --folds name the --fold to take it from")
    if config.overfit_batch:
        idle = [name for name in NOT_BY_HEART if getattr(config, name) != getattr(TrainConfig, name)]
        if idle:
            raise ValueError(f"--{idle[0].replace('_', '-')} changes nothing with --overfit-batch; leave it out")
        config = replace(config, epochs=OVERFIT_STEPS, guest_share=0.0, blend=1.0)
    usual = PRESETS[config.preset] | (FROM_RANDOM if config.init is None else FROM_TRAINED)
    missing = {name: value for name, value in usual.items() if getattr(config, name) is None}
    config = replace(config, out=out, **missing)
    for name in ("epochs", "base", "batch_size"):
        if getattr(config, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(config, name)}: wanted 1 or more")
    if not LEAST_SIZE <= config.size <= MOST_SIZE:
        raise ValueError(f"--size {config.size}: wanted {LEAST_SIZE} to {MOST_SIZE}")
    for name in ("learning_rate", "heart_weight"):
        if not getattr(config, name) > 0:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(config, name)}: wanted more than 0")
    if not 0 <= config.average_decay < 1:
        raise ValueError(f"--average-decay {config.average_decay}: wanted 0 or more, and less than 1")
    if not 0 <= config.seed <= LARGEST_SEED:
        raise ValueError(f"--seed {config.seed}: wanted 0 to {LARGEST_SEED}")
    for name in ("phantom_epochs", "guest_share", "train_films", "dice_weight", "weight_decay"):
        if not getattr(config, name) >= 0:  # nor NaN
            raise ValueError(f"--{name.replace('_', '-')} {getattr(config, name)}: wanted 0 or more")
    for name, value in vars(config).items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"--{name.replace('_', '-')} {value}: wanted a finite number")
    small, calm = config.small_share, config.calm_share
    if small < 0 or calm < 0 or small + calm > 1:
        raise ValueError(f"--small-share {small} --calm-share {calm}: wanted 0 or more each, and at most 1 together")
    # absolute, since the checkpoint keeps them and may be evaluated from anywhere
    is_named = (QUERIES / f"{config.query}.sql").is_file()
    query = config.query if is_named else str(Path(config.query).absolute())
    init = config.init and config.init.absolute()
    return replace(config, db=(config.db or ensure_phantom()).absolute(), query=query, init=init)


def refuse_used(out: Path) -> None:
    """Raise ValueError where a folder holds a training, or a network of one, which a new training would overwrite."""
    if (out / "last.pt").exists() or any(out.glob("fold*/last.pt")):
        raise ValueError(
            f"--out {out} already holds a training; go on with it by --resume {out}, or name another folder"
        )
    for kept in (out / "best.pt", *out.glob("fold*/best.pt")):
        if kept.exists():
            raise ValueError(f"--out {out} holds a network, {kept}, which would be overwritten; name another folder")


def base_of_weights(config: TrainConfig) -> int:
    """Return the channels of the network that --init names; ValueError where another number is asked for."""
    if config.init.is_dir():
        raise ValueError(f"--init {config.init} is a folder; name the weights, e.g. {config.init / 'best.pt'}")
    start = load_checkpoint(config.init)
    base = start.model.base
    check_structures(config.init, start)
    if config.base not in (None, base):
        raise ValueError(f"--base {config.base}: the weights of --init {config.init} have {base}; leave --base out")
    return base


def asked_for(config: TrainConfig) -> dict[str, tuple[str, ...]]:
    """Return the parameters of the query that differ from their defaults."""
    asked = {"convention": (config.convention,), "provenance": config.provenance, "source": config.source}
    return {name: value for name, value in asked.items() if getattr(config, name) != getattr(TrainConfig, name)}


def resumed_config(config: TrainConfig, given: Collection[str]) -> TrainConfig:
    """Return the settings of the training that --resume names, with --db where its database is elsewhere by now.

    given: names of the settings that the call states. ValueError where they are more than these two, FileNotFoundError where
    the database is not there.
    """
    others = [name for name in given if name not in ("resume", "db")]
    if others:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise ValueError(f"--resume {config.resume} goes on with the settings in its config.json; leave out {flags}")
    stored = stored_config(config.resume)
    db = config.db or stored.db
    if not db.is_file():
        raise FileNotFoundError(
            f"--resume {config.resume}: its database {db} is not there as seen from {Path.cwd()}; call it from where the "
            "training was begun, or say by --db where the database is now"
        )
    return replace(stored, db=db.absolute())


def stored_config(folder: Path) -> TrainConfig:
    """Return the settings a run folder was begun with."""
    path = folder / "config.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"--resume {folder}: no config.json there: nothing of a training was kept yet; begin it anew, or name another folder"
        )
    stored = read_json(path).get("settings")
    if not isinstance(stored, dict) or "epochs" not in stored:
        raise ValueError(f"--resume {folder}: its config.json is not that of a training; name the folder of one")
    # a training begun by an older release continues with the behaviour of that release
    before_there_was = {"blend": 1.0, "optimizer": "adamw"}
    return replace(settings_from_dict(TrainConfig, {**before_there_was, **stored}), out=folder)
