"""Masks and measurements for films of one's own: one film, or a folder searched to the bottom.

    python predict.py film.png --out results
    python predict.py films/ --checkpoint runs/own/best.pt --out results
    torchrun --nproc-per-node 2 predict.py films/ --out results     # shared by two processes or GPUs
    python predict.py --compare before.png after.png --out change   # two films of one patient
    python predict.py film.png --explain heart --out results        # where the network looks

Writes to --out: masks/<structure>/<film>.png (0/255, the film's own size), overlays/<film>.jpg, predictions.csv,
predictions.sqlite, failures.csv and report.html. Called again it goes on: a film whose bytes and network are the same as
before is not done twice. Reads PNG, JPEG, TIFF, BMP, GIF, JSRT's .IMG, and DICOM where pydicom is installed.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cli.command import DONE, SOME_FAILED, run
from cli.parallel import map_in_order
from cli.progress import track
from cli.settings import parse_settings, setting, settings_as_dict
from data.found_films import LEADS_OUT, RESULT_FOLDERS, find_films, names_for
from data.loading import hash_file
from data.reasons import as_utf8, one_line
from data.writing import sole_writer
from db.connection import connect
from db.predictions import (
    films_done,
    forget_prediction,
    names_given,
    open_prediction_run,
    write_prediction,
)
from db.records import STRUCTURES
from db.runs import closing_run
from pipeline.explain_films import explain_films
from pipeline.film_job import FilmDone, FilmFailed, FilmJob, Outcome
from pipeline.film_spacing import SpacingSource, spacing_of_call
from pipeline.formats import FORMATS
from pipeline.found_checkpoints import find_checkpoint
from pipeline.prediction_folder import check_folder, follow_moved, remove_results, write_predictions
from pipeline.prediction_report import write_report
from pipeline.predictor import Predictor
from pipeline.tell_changes import write_films_comparison
from report.run_folder import write_settings
from unet.device import PRECISIONS, choose_device, choose_precision, film_threads, keep_freed_memory
from unet.distributed import first_then_others, from_first, gather, is_first, join, progress_stream, shard, size
from unet.typical import is_fitted

RUNS = Path("runs")
EXPORT_SECONDS = 30.0  # how often predictions.csv is brought up to date while films are done


@dataclass(frozen=True)
class PredictConfig:
    """Settings of `predict.py`."""

    films: tuple[Path, ...] = setting((), "films, or folders of films", positional=True)
    checkpoint: Path | None = setting(None, "best.pt of a training; without it the newest in runs/")
    out: Path | None = setting(None, "folder for the results")
    db: Path | None = setting(
        None, "database for the rows, the same in every call into --out; without it predictions.sqlite there"
    )
    photometric: str = setting(
        "MONOCHROME2", "how grey levels of non-DICOM files are stored", choices=("MONOCHROME1", "MONOCHROME2")
    )
    pixel_spacing_mm: tuple[float, ...] = setting(
        (),
        "spacing of films whose files state none, mm: one number, or that of rows and of columns; without it the database's",
    )
    format: tuple[str, ...] = setting((), "also write the masks as rle, coco, dicom-seg (DICOM films only)")
    fix_orientation: bool = setting(
        False, "turn films that lie turned before the network sees them; masks lie as stored"
    )
    test_time_views: bool = setting(False, "average over five slightly changed copies of each film")
    compare: bool = setting(False, "compare two films of one patient, BEFORE and AFTER, instead")
    explain: str | None = setting(None, "draw where the network looks for this structure instead", choices=STRUCTURES)
    region: tuple[str, ...] = setting((), "with --explain: TOP,LEFT,HEIGHT,WIDTH in the film; without it the mask")
    device: str = setting("auto", "auto, cpu, cuda or mps")
    precision: str = setting("auto", "number format of the convolutions", choices=PRECISIONS)


def main(argv: list[str]) -> int:
    """Predict as the arguments say; status 1 when some films failed."""
    config = parse_settings(PredictConfig, argv, __doc__)
    if not config.films or config.out is None:
        raise ValueError(
            "name films or a folder of them, and a folder for the results: python predict.py FILMS --out DIR"
        )
    check_settings(config)
    keep_freed_memory()
    join()
    if (config.compare or config.explain) and size() > 1:
        raise ValueError("--compare and --explain are not shared between processes; call python, not torchrun")
    path = find_checkpoint(config.checkpoint, RUNS)
    precision = from_first(lambda: choose_precision(config.precision, choose_device(config.device))[0])
    predictor = Predictor(path, config.device, precision, config.test_time_views or config.compare)
    if config.compare:
        with sole_writer(config.out):
            spacing = SpacingSource(spacing_of_call(config.pixel_spacing_mm))
            write_films_comparison(config.films, predictor, config.photometric, config.out, spacing)
        return DONE
    films, links = find_films(config.films, but=[config.out / name for name in RESULT_FOLDERS])
    not_followed = [(as_utf8(link), LEADS_OUT) for link in links]
    if config.explain:
        with sole_writer(config.out):
            done = explain_films(films, predictor, config.explain, config.region, config.photometric, config.out)
        failed = [*not_followed, *done]
        for film, why in failed:
            print(f"failed: {one_line(film)}: {why}")
        return SOME_FAILED if failed else DONE
    network, database = network_id(path, config), config.db or config.out / "predictions.sqlite"
    from_first(lambda: check_folder(config.out, database))
    config.out.mkdir(parents=True, exist_ok=True)
    with closing(first_then_others(lambda: connect(database))) as connection, ExitStack() as held:
        from_first(lambda: held.enter_context(sole_writer(config.out)))
        from_first(lambda: write_settings(config.out, "predict", settings_as_dict(config)))
        return predict(films, not_followed, predictor, network, config, connection)


def check_settings(config: PredictConfig) -> None:
    """Refuse settings that are not known or would change nothing."""
    if config.compare and config.explain:
        raise ValueError("--explain changes nothing with --compare; call them one after the other")
    if config.test_time_views and config.compare:
        raise ValueError("--compare averages over the test-time views in any case; leave --test-time-views out")
    for name in ("format", "db", "fix_orientation"):
        if getattr(config, name) and (config.compare or config.explain):
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} changes nothing with --compare and --explain; leave it out")
    if config.pixel_spacing_mm and config.explain:
        raise ValueError("--pixel-spacing-mm changes nothing with --explain; leave it out")
    spacing_of_call(config.pixel_spacing_mm)
    if config.region and not config.explain:
        raise ValueError("--region changes nothing without --explain")
    unknown = sorted(set(config.format) - set(FORMATS))
    if unknown:
        raise ValueError(f"--format {unknown[0]!r}: wanted some of {', '.join(FORMATS)}")


def predict(
    films: Sequence[Path],
    not_followed: Sequence[tuple[str, str]],
    predictor: Predictor,
    network: str,
    config: PredictConfig,
    connection: sqlite3.Connection,
) -> int:
    """Predict the films, write every table and the page, and return the exit status. not_followed: links, and why."""
    if not is_fitted(predictor.checkpoint.typical):
        print(
            f"{predictor.path} does not say what its films look like: films that are no chest films are not recognised"
        )
    run_id = from_first(lambda: open_prediction_run(connection, config.out, network, settings_as_dict(config)))
    if is_first():  # what failed in an earlier call says nothing of this one, should it be cut short
        (config.out / "failures.csv").unlink(missing_ok=True)
    from_first(lambda: follow_moved(connection, run_id, films))
    done = films_done(connection, run_id)
    names = names_given(connection, config.out)
    spacing = SpacingSource(spacing_of_call(config.pixel_spacing_mm), config.db)
    job = FilmJob(predictor, config.out, network, config.photometric, config.fix_orientation, spacing, done, names)
    with closing_run(connection, run_id) if is_first() else nullcontext():
        try:
            ended = gather(predict_all(films, job, connection, run_id))
        finally:
            if is_first():
                write_predictions(config.out, connection, run_id)
        if not is_first():
            return DONE
        failures = [*not_followed, *((file, why) for file, why in ended if why is not None)]
        new = sum(why is None for _, why in ended)
        lines = write_report(config.out, config.format, films, new, done, failures, connection, run_id)
    print("\n".join(lines))  # after the run's end: nobody may be reading it any more
    return SOME_FAILED if failures else DONE


def network_id(checkpoint: Path, config: PredictConfig) -> str:
    """Name what the masks depend on besides the film: the checkpoint's bytes and the settings that change more than rounding."""
    words = [hash_file(checkpoint)[:16]]
    words += ["views"] if config.test_time_views else []
    words += ["upright"] if config.fix_orientation else []
    words += [config.photometric] if config.photometric != "MONOCHROME2" else []
    return "+".join(words)


def predict_all(
    films: Sequence[Path], job: FilmJob, connection: sqlite3.Connection, run_id: int
) -> list[tuple[str, str | None]]:
    """Process every film and write its row as soon as its files exist; return the films that were predicted or failed, and why.

    None: it has not failed. Films whose results were there stand in no list.
    """
    ended: list[tuple[str, str | None]] = []
    exported = time.monotonic()
    for file, outcome in track(outcomes(films, job), len(films[shard()]), "film", progress_stream()):
        if isinstance(outcome, FilmFailed):
            ended.append((file, outcome.why))
            if outcome.outdated:
                forget_prediction(connection, run_id, file)
                remove_results(job.out, job.done[file].name)
        elif isinstance(outcome, FilmDone):
            # row by row, so that a killed call has lost nothing; rows of earlier calls on other films stay
            write_prediction(connection, run_id, outcome.values, outcome.measurements)
            ended.append((file, None))
        if is_first() and time.monotonic() - exported > EXPORT_SECONDS:
            write_predictions(job.out, connection, run_id)
            exported = time.monotonic()
    return ended


def outcomes(films: Sequence[Path], job: FilmJob) -> Iterator[tuple[str, Outcome]]:
    """Yield each film's name in tables and its outcome, in order; each of several processes does its share."""
    files = {film: as_utf8(film) for film in films}
    known = {film: job.names[file] for film, file in files.items() if file in job.names}
    names = names_for(films, known, list(job.names.values()))
    with film_threads(job.predictor.device) as threads:
        own = films[shard()]
        results = map_in_order(lambda film: job.run(film, files[film], names[film]), own, threads)
        yield from zip((files[film] for film in own), results, strict=True)


if __name__ == "__main__":
    run(main)
