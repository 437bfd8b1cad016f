"""A training under way: its films, its network, its folder and its rows in the database."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch

from cli.progress import format_seconds
from cli.settings import settings_as_dict
from data.cache import cache_folder
from data.dataset import FilmDataset, Preprocessing
from data.writing import atomic_file, sole_writer
from db.connection import connect_existing
from db.runs import find_run, finish_run, log_epoch, resume_run, start_run
from pipeline.curriculum import Stage, chosen_films, plan_stages
from pipeline.train_settings import TrainConfig
from pipeline.training_checks import already_known, check_unchanged, contents_hash, too_few_to_fit, warn, without_effect
from pipeline.training_films import draw_and_select, every_film, find_guests, hashes_learnt_from
from report.run_folder import read_facts, write_config, write_metrics, write_split
from unet.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from unet.device import choose_device, choose_precision
from unet.distributed import check_shares, first_then_others, from_first, is_first, size
from unet.model import UNetConfig, count_parameters
from unet.trainer import Hyperparameters, Trainer

WARMUP_EPOCHS = 2  # but no more than a third of a short training, whose rate would never fall


@dataclass
class Session:
    """One training under way: its settings, films, network and place in the database."""

    config: TrainConfig
    split_set: str
    dataset: FilmDataset
    train_rows: list[int]
    val_rows: list[int]
    stages: list[Stage]
    trainer: Trainer
    connection: sqlite3.Connection
    run_id: int
    learnt_from: list[str]
    history: list[dict] = field(default_factory=list)


def open_session(config: TrainConfig, held: ExitStack) -> Session:
    """Select the films, prepare them, build or reload the network, and write the settings before the first step.

    held: keeps other calls from the folder until it is closed. Raises ValueError where one is writing there already.
    """
    started = time.monotonic()
    connection = connect_existing(config.db)
    split_set, records, counts = first_then_others(lambda: draw_and_select(connection, config))
    train_rows = [row for row, record in enumerate(records) if record.split == "train"]
    if config.train_films:
        for row in {*train_rows} - {*chosen_films(config, train_rows)}:
            records[row] = replace(records[row], split=None)
        counts["train"] = config.train_films
    from_first(lambda: held.enter_context(sole_writer(config.out)))
    guests = find_guests(connection, config, split_set, records)
    preprocessing = Preprocessing(config.size, config.intensity)
    dataset = first_then_others(
        lambda: FilmDataset([*records, *guests], preprocessing, cache_folder(config.db), len(guests))
    )
    start = given_weights(config)
    device = choose_device(config.device)
    precision, reason = from_first(lambda: choose_precision(config.precision, device))
    config = replace(config, precision=precision)
    stages = first_then_others(lambda: plan_stages(config, dataset, train_rows))
    taught_before = start is not None or stages[0].films == "phantom"
    few = too_few_to_fit(records, start) if not config.overfit_batch else []
    idle = without_effect(config, stages[0].films == "phantom", stages[-1].guests)
    for fault in (*dataset.faults(taught_before), *already_known(config.init, start, records), *few, *idle):
        warn(fault)
    for stage in stages:
        check_shares(stage.count, config.batch_size)
    trainer = build_trainer(config, stages, device, start)
    films = every_film(records, guests, stages)
    session = Session(
        config, split_set, dataset, [row for row in train_rows if records[row].split == "train"],
        [row for row, record in enumerate(records) if record.split == "val"], stages, trainer, connection, run_id=0,
        learnt_from=hashes_learnt_from(films, start),
    )  # fmt: skip
    facts = {
        "films": {split: counts[split] for split in ("train", "val", "test")},
        "patients": len({record.patient_id for record in records if record.split}),
        "contents": from_first(lambda: contents_hash(films)),
        "precision": begun_with(config.out) or reason,
        **facts_of(session),
    }
    first_then_others(lambda: begin_or_resume(session, facts) if is_first() else follow(session))
    if is_first():
        write_split(config.out, films)
    introduce(facts, stages[-1].guests, time.monotonic() - started)
    return session


def begun_with(folder: Path) -> str | None:
    """Return why a training that is gone on with has its number format; None of one that begins."""
    return read_facts(folder).get("precision") if (folder / "last.pt").exists() else None


def facts_of(session: Session) -> dict:
    """Return what config.json says beside the settings, as far as the session knows it."""
    return {
        "split_set": session.split_set,
        "guests": len(session.dataset.guest_rows()),
        "stages": [{"films": s.films, "count": s.count, "epochs": s.epochs, "size": s.size} for s in session.stages],
        "parameters": count_parameters(session.trainer.model),
        "device": str(session.trainer.device),
        "threads": torch.get_num_threads(),
        "processes": size(),
        "torch": torch.__version__,
    }


def introduce(facts: Mapping, guests: int, seconds: float) -> None:
    """Print what is about to be trained. guests: how many join each epoch; seconds: how long it took so far."""
    if guests:
        print(
            f"{facts['guests']} more films, drawn with the heart's shadow inside, teach what holds for the clear field too: "
            f"{guests} of them join each epoch (--guest-share)"
        )
    films = facts["films"]
    print(
        f"{films['train']} films to train on, {films['val']} to choose by, {films['test']} kept for testing "
        f"({facts['patients']} patients, {facts['split_set']}); {facts['parameters']:,} weights; {facts['device']}, "
        f"{facts['precision']}; ready after {format_seconds(seconds)}"
    )


def given_weights(config: TrainConfig) -> Checkpoint | None:
    """Return the checkpoint of --init, or last.pt where there is one, as that file may be gone; None without --init."""
    if config.init is None:
        return None
    last = config.out / "last.pt"
    return load_checkpoint(last if last.exists() else config.init)


def build_trainer(
    config: TrainConfig, stages: Sequence[Stage], device: torch.device, start: Checkpoint | None
) -> Trainer:
    """Build the network and optimiser for the stages of a training. start: the weights to begin with; None: random ones."""
    total_steps = sum(stage.epochs * stage.steps(config.batch_size) for stage in stages)
    settings = Hyperparameters(
        seed=config.seed,
        optimizer=config.optimizer,
        epochs=sum(stage.epochs for stage in stages),
        total_steps=total_steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=min(WARMUP_EPOCHS * stages[0].steps(config.batch_size), total_steps // 3),
        average_decay=config.average_decay,
        dice_weight=config.dice_weight,
        heart_weight=config.heart_weight,
    )
    if start is None:
        return Trainer(UNetConfig(base=config.base), settings, device, config.precision)
    own = asdict(Preprocessing(config.size, config.intensity))
    for name, value in own.items():
        if start.preprocessing.get(name) != value:
            before = start.preprocessing.get(name)
            warn(
                f"--init {config.init} was trained with {name} {before}, this training has {value}: far worse masks are likely"
            )
    trainer = Trainer(start.model, settings, device, config.precision)
    trainer.load_weights(start.weights, config.blend)
    return trainer


def begin_or_resume(session: Session, facts: dict) -> None:
    """Write the settings and the run's row, or, where the folder has a last.pt, continue from it."""
    config, trainer = session.config, session.trainer
    last = config.out / "last.pt"
    if not last.exists():
        session.run_id = begin_run(session.connection, config)
        write_config(config.out, settings_as_dict(config), facts)
        if not config.overfit_batch:
            save(session, "last.pt", resumable=True)
        return
    check_unchanged(config.out, facts)
    if load_checkpoint(last).progress["history"] and not (config.out / "best.pt").exists():
        raise ValueError(
            f"--resume {config.out}: its best.pt, which holds the best epoch so far, is gone; put it back, or begin anew"
        )
    write_config(config.out, settings_as_dict(config), read_facts(config.out))  # the database may be elsewhere by now
    follow(session)
    stored = find_run(session.connection, "train", config.out)
    session.run_id = (
        stored["run_id"] if stored else start_run(session.connection, "train", config.out, settings_as_dict(config))
    )
    resume_run(session.connection, session.run_id)
    for row in session.history:  # a kill between last.pt and the log loses the last row
        log_epoch(session.connection, session.run_id, row["epoch"], row)
    if session.history:
        write_metrics(config.out, session.history)
    epochs = trainer.settings.epochs
    print(
        f"Going on after epoch {trainer.epoch} of {epochs}"
        if trainer.epoch < epochs
        else f"All {epochs} epochs are done"
    )


def begin_run(connection: sqlite3.Connection, config: TrainConfig) -> int:
    """Return a new run's run_id. One that is said to be under way in the folder was killed: nobody else holds the folder."""
    killed = find_run(connection, "train", config.out, "running")
    if killed is not None:
        finish_run(connection, killed["run_id"], "failed")
    return start_run(connection, "train", config.out, settings_as_dict(config))


def follow(session: Session) -> None:
    """Load last.pt, if there is one, without writing anything: in other processes what the first has just written or found."""
    last = session.config.out / "last.pt"
    if last.exists():
        checkpoint = load_checkpoint(last)
        session.trainer.restore(checkpoint.weights, checkpoint.resume)
        session.history = list(checkpoint.progress["history"])


def finish(session: Session, status: str = "finished") -> None:
    """Write how the run ended; of several processes only the first writes."""
    if is_first():
        finish_run(session.connection, session.run_id, status)


def save(session: Session, name: str, resumable: bool) -> None:
    """Write a checkpoint atomically: a full disk or a kill leaves the previous one. Of several processes the first writes."""
    if not is_first():
        return
    checkpoint = session.trainer.checkpoint(
        resumable,
        preprocessing=asdict(session.dataset.preprocessing),
        training={**settings_as_dict(session.config), "split_set": session.split_set},
        progress={"epoch": session.trainer.epoch, "history": session.history},
        learnt_from=session.learnt_from,
    )
    with atomic_file(session.config.out / name) as file:
        save_checkpoint(file, checkpoint)
