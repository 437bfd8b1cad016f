"""Train the lung and heart U-Net on films selected by SQL.

    python train.py                                   # the embedded phantom films, made on first use
    python train.py --db films.sqlite --out runs/own  # films that `python -m data.ingest` has read
    python train.py --resume runs/own                 # go on where it stopped
    torchrun --nproc-per-node 2 train.py ...          # the same training, shared by two processes or GPUs

Writes to --out: config.json (before the first step), split.csv, metrics.csv, curves.png, best.pt, last.pt.
"""

import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch

from cli.command import DONE, INTERRUPTED, SOME_FAILED, run
from cli.progress import Progress
from cli.settings import given_settings, settings_as_dict
from data.augment import AugmentConfig
from db.records import MASK_STRUCTURES
from db.runs import log_epoch
from pipeline.curriculum import best_epoch, stage_at
from pipeline.fitting import fit_on_training, fit_on_validation, inherit_fits
from pipeline.session import Session, finish, open_session, save
from pipeline.train_settings import OVERFIT_DICE, OVERFIT_STEPS, TrainConfig, complete, resumed_config, stored_config
from pipeline.training_checks import warn
from pipeline.training_films import check_folds
from report.run_folder import write_config, write_curves, write_metrics
from unet.device import keep_freed_memory
from unet.distributed import from_first, is_first, join, progress_stream, shard
from unet.trainer import Trainer, Validation


def main(argv: list[str]) -> int:
    """Train as the arguments say and return the exit status."""
    given = given_settings(TrainConfig, argv, __doc__)
    config = TrainConfig(**given)
    keep_freed_memory()
    join()
    if config.resume is not None:
        config = resumed_config(config, given)
    else:
        config = from_first(lambda: complete(config))
    if not config.folds or config.fold:
        return train(config)
    from_first(lambda: check_folds(config))
    if is_first():
        write_config(config.out, settings_as_dict(config), {})
    for fold in range(1, config.folds + 1):
        folder = config.out / f"fold{fold}"
        begun = (folder / "last.pt").exists()  # its settings hold the number format measured then
        own = replace(stored_config(folder), db=config.db) if begun else replace(config, out=folder, fold=fold)
        status = train(own, config.out)
        if status != DONE:
            return status
    print(
        f"All folds are trained. Score each film by the fold that never saw it: python evaluate.py --checkpoint {config.out}"
    )
    return DONE


def train(config: TrainConfig, whole: Path | None = None) -> int:
    """Train one network in config.out, going on from last.pt where there is one; return the exit status.

    whole: folder of the cross-validation that it is a fold of, which --resume must name after Ctrl-C.
    """
    with ExitStack() as held:
        return run_session(open_session(config, held), whole)


def run_session(session: Session, whole: Path | None) -> int:
    """Do as `train`, for a training that has been opened."""
    config, trainer = session.config, session.trainer
    progress = Progress(trainer.settings.total_steps, "step", progress_stream(), done=trainer.step)
    try:
        if config.overfit_batch:
            return overfit(session)
        while trainer.epoch < trainer.settings.epochs:
            train_one_epoch(session, progress)
        if is_first():
            path, films = config.out / "best.pt", session.dataset
            fit_on_validation(path, films, session.val_rows, trainer.device, trainer.precision, session.history)
            fit_on_training(path, films, session.train_rows, session.val_rows, trainer.device, trainer.precision)
            if config.init and (taken := inherit_fits(path, config.init)):
                print(f"Too few films to fit {' and '.join(taken)}: taken from {config.init}")
    except KeyboardInterrupt:
        progress.close()
        finish(session, "interrupted")
        resumable = whole or (config.out / "last.pt").exists()  # --overfit-batch keeps none
        advice = (
            f"; go on with: python train.py --resume {whole or config.out}"
            if resumable
            else " before anything was kept"
        )
        print(f"\nStopped{advice}", file=sys.stderr)
        return INTERRUPTED
    except BaseException:
        finish(session, "failed")
        raise
    finish(session)
    if is_first():
        write_curves(config.out, session.history)
    best = best_epoch(session.history)
    path = config.out / "best.pt"
    print(f"Best epoch {best['epoch']}, kept in {path}. {what_next(session, path)}")
    return DONE


def what_next(session: Session, path: Path) -> str:
    """Say how to score the network on the test films, or that it cannot be, since the weights of --init know some of them."""
    films, learnt = session.dataset.records, {*session.learnt_from}
    known = sum(film.split == "test" and film.content_sha256 in learnt for film in films)
    if known:
        return f"evaluate.py refuses to test it, as --init has learnt from {known} of the test films"
    return f"Score it on the test films: python evaluate.py --checkpoint {path}"


def train_one_epoch(session: Session, progress: Progress) -> None:
    """Train, validate, keep the best, log."""
    trainer, settings = session.trainer, session.trainer.settings
    stage = stage_at(session.stages, trainer.epoch)
    batch_size, steps, before = session.config.batch_size, stage.steps(session.config.batch_size), trainer.step
    started, losses, films = time.monotonic(), 0.0, 0
    generator = torch.Generator().manual_seed(trainer.epoch_seed)
    augment = AugmentConfig().scaled(stage.strength) if session.config.augment else None
    rows = stage.sample(generator)
    batches = stage.dataset.augmented_batches(rows, batch_size, generator, augment, shard(), stage.size, trainer.device)
    for count, loss in trainer.train_epoch(batches):
        losses, films = losses + loss * count, films + count
        speed = films / (time.monotonic() - started)
        progress.update(
            text=f"epoch {trainer.epoch + 1}/{settings.epochs} step {trainer.step - before}/{steps} "
            f"loss {losses / films:.4f} {speed:.0f} films/s"
        )
    films_per_second = films / (time.monotonic() - started)
    # evaluate
    held_out = session.dataset.batches_of(session.val_rows[shard()], batch_size)
    validation = trainer.validate(batch.resized(stage.size) for batch in held_out)
    row = {
        "epoch": trainer.epoch,
        "films": stage.films,
        "size": stage.size,
        "train_loss": losses / films,
        "val_loss": validation.loss,
        "val_dice_lungs": validation.dice_lungs,
        "val_dice_heart": validation.dice_heart,
        "score": validation.score,
        "learning_rate": trainer.rate,
        "films_per_second": films_per_second,
        "seconds": time.monotonic() - started,
    }
    # checkpoint: best first, so that a process killed between the two repeats this epoch and writes the same
    session.history.append(row)
    is_best = best_epoch(session.history) is row
    if is_best:
        save(session, "best.pt", resumable=False)
    save(session, "last.pt", resumable=True)
    # log
    if is_first():
        log_epoch(session.connection, session.run_id, trainer.epoch, row)
        write_metrics(session.config.out, session.history)
    progress.close()
    print(epoch_line(row, settings.epochs, is_best), flush=True)
    warn_if_constant(validation, trainer)


def overfit(session: Session) -> int:
    """Train on a single batch: a sound set-up learns it by heart; status 1 when it does not."""
    config, trainer = session.config, session.trainer
    rows = session.train_rows[: config.batch_size]
    batch = session.dataset.batch(rows[shard()])
    for step in range(1, OVERFIT_STEPS + 1):
        loss = trainer.train_step(*batch)
        if step % 25 == 0:
            print(f"step {step}/{OVERFIT_STEPS}  loss {loss:.4f}")
    result = trainer.validate([batch])
    learnt = result.score >= OVERFIT_DICE
    verdict = "the set-up is sound" if learnt else "something is wrong with the films, the masks or the settings"
    print(f"{len(rows)} films by heart: Dice {result.score:.4f}, wanted {OVERFIT_DICE}: {verdict}")
    finish(session, "finished" if learnt else "failed")
    return DONE if learnt else SOME_FAILED


def epoch_line(row: dict, epochs: int, is_best: bool) -> str:
    """Write one epoch as one line."""
    dice = "  ".join(
        f"{name} {row[column]:.4f}"
        for name, column in (("lungs", "val_dice_lungs"), ("heart", "val_dice_heart"))
        if row[column] is not None
    )
    return (
        f"epoch {row['epoch']:3d}/{epochs}  {row['films']} {row['size']} px  loss {row['train_loss']:.4f}  "
        f"val loss {row['val_loss']:.4f}  {dice}  {row['films_per_second']:.0f} films/s{'  best' if is_best else ''}"
    )


def warn_if_constant(validation: Validation, trainer: Trainer) -> None:
    """Say when a structure is predicted everywhere or nowhere on every validation film."""
    warmed_up = trainer.step >= trainer.settings.warmup_steps
    for channel in validation.constant if warmed_up else ():
        warn(
            f"{MASK_STRUCTURES[channel]}: the prediction is constant on all validation films; nothing is learnt there yet"
        )


if __name__ == "__main__":
    run(main)
