"""Score a trained network on films it has not seen: numbers per film, means with intervals, pictures, one report.

    python evaluate.py                                    # the newest training, its test films
    python evaluate.py --checkpoint runs/own/best.pt      # a certain one
    python evaluate.py --checkpoint runs/cross            # all folds: each film by the network that never saw it

Writes to --out: scores.csv, summary.json, report.html, report.md, and with --save-masks masks/<structure>/<film>.png.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.command import DONE, SOME_FAILED, run
from cli.progress import track
from cli.settings import parse_settings, setting, settings_as_dict
from data.writing import atomic_file
from db.connection import connect
from db.records import ImageRecord
from db.runs import find_run, finish_run, start_run
from db.scores import METRIC_COLUMNS, write_scores
from db.selection import query_text, select_images
from pipeline.comparison import compare_with, comparison_table
from pipeline.evaluation import evaluate_films, summarise_results
from pipeline.measuring import keep_measurements
from pipeline.predictor import Predictor, find_checkpoints
from report.evaluation import FilmResult, evaluation_page
from report.page import Heading, write_page
from report.run_folder import write_csv
from unet.device import PRECISIONS, keep_freed_memory

RUNS = Path("runs")
SCORE_COLUMNS = ("source", "image_id", "file", "patient_id", "split", "structure", "empty", *METRIC_COLUMNS)


@dataclass(frozen=True)
class EvaluateConfig:
    """Settings of `evaluate.py`."""

    checkpoint: Path | None = setting(
        None, "best.pt, or the folder of a training or of its folds; without it the newest in runs/"
    )
    db: Path | None = setting(None, "database of films; without it the one the network was trained from")
    split: str = setting("test", "which films to score", choices=("test", "val", "train", "all"))
    query: str | None = setting(None, "own selection: FILE.sql or a name in db/queries; without it the training's")
    source: tuple[str, ...] = setting((), "names of the sources to score; without it the training's")
    out: Path | None = setting(None, "folder for the results; without it evaluate-SPLIT beside the checkpoint")
    against: Path | None = setting(None, "folder of another evaluation to compare with, film by film")
    save_masks: bool = setting(False, "write the predicted masks as PNG files of the films' own size")
    test_time_views: bool = setting(False, "average over five slightly changed copies of each film")
    device: str = setting("auto", "auto, cpu, cuda or mps")
    precision: str = setting("auto", "number format of the convolutions", choices=PRECISIONS)


def main(argv: list[str]) -> int:
    """Evaluate as the arguments say and return the exit status."""
    config = parse_settings(EvaluateConfig, argv, __doc__)
    keep_freed_memory()
    paths = find_checkpoints(config.checkpoint, RUNS)
    predictors = [Predictor(path, config.device, config.precision, config.test_time_views) for path in paths]
    folder = paths[0].parent if len(paths) == 1 else paths[0].parent.parent
    out = config.out or folder / f"evaluate-{config.split}"
    connection = connect(config.db or Path(predictors[0].checkpoint.training["db"]))
    members = [(predictor, select_records(connection, config, predictor)) for predictor in predictors]
    check_selection(members, config)
    out.mkdir(parents=True, exist_ok=True)
    parent = find_run(connection, "train", paths[0].parent)
    run_id = start_run(connection, "evaluate", out, settings_as_dict(config), parent and parent["run_id"])
    results, failures = score_all(members, out / "masks" if config.save_masks else None)
    if not results:
        finish_run(connection, run_id, "failed")
        raise ValueError(f"none of the {len(failures)} films could be read; the first: {failures[0][1]}")
    write_scores(connection, run_id, [score for result in results for score in result.scores])
    keep_measurements(connection, run_id, out, results)
    finish_run(connection, run_id)
    write_results(out, config, predictors, results, failures)
    return SOME_FAILED if failures else DONE


def select_records(connection: sqlite3.Connection, config: EvaluateConfig, predictor: Predictor) -> list[ImageRecord]:
    """Return the films of the asked split, by the selection and the split that the network was trained with."""
    training = predictor.checkpoint.training
    parameters = {
        "convention": training["convention"],
        "provenance": ",".join(training["provenance"]),
        "source": ",".join(config.source or training["source"]),
    }
    query = query_text(config.query or training["query"])
    records = select_images(connection, query, parameters, training["split_set"])
    return [record for record in records if config.split in ("all", record.split)]


def check_selection(members: Sequence[tuple[Predictor, list[ImageRecord]]], config: EvaluateConfig) -> None:
    """Refuse to evaluate nothing, and to count a film twice."""
    if not any(records for _, records in members):
        raise ValueError(
            f"no film in the {config.split} split of this selection; try --split all, or another --db or --source"
        )
    if len(members) > 1 and config.split != "test":
        raise ValueError(f"--split {config.split}: folds are scored on their own test films; leave --split out")


def score_all(
    members: Sequence[tuple[Predictor, list[ImageRecord]]], mask_folder: Path | None
) -> tuple[list[FilmResult], list[tuple[ImageRecord, str]]]:
    """Return the results of all films, and the films that could not be read with the reason."""
    outcomes = (pair for predictor, records in members for pair in evaluate_films(predictor, records, mask_folder))
    results, failures = [], []
    for record, outcome in track(outcomes, sum(len(records) for _, records in members), "scoring film"):
        if isinstance(outcome, FilmResult):
            results.append(outcome)
        else:
            failures.append((record, outcome))
    return results, failures


def write_results(
    out: Path,
    config: EvaluateConfig,
    predictors: Sequence[Predictor],
    results: Sequence[FilmResult],
    failures: Sequence[tuple[ImageRecord, str]],
) -> None:
    """Write scores.csv, summary.json and the report, and print the table."""
    rows = []
    for result in results:
        record = result.record
        film = {"source": record.source, "file": record.file, "patient_id": record.patient_id}
        rows += [[{**film, **score}.get(column) for column in SCORE_COLUMNS] for score in result.scores]
    write_csv(out / "scores.csv", SCORE_COLUMNS, rows)
    summary = {
        "db": str(config.db or predictors[0].checkpoint.training["db"]),
        "checkpoints": [str(predictor.path) for predictor in predictors],
        "settings": settings_as_dict(config),
        "failed": [{"file": record.file, "why": reason} for record, reason in failures],
        **summarise_results(results),
    }
    comparisons = compare_with(config.against, results) if config.against is not None else {}
    summary["against"] = {
        structure: {"films": c.films, **c.difference._asdict(), "p": c.p} for structure, c in comparisons.items()
    }
    with atomic_file(out / "summary.json") as file:
        file.write((json.dumps(summary, indent=2) + "\n").encode())
    names = ", ".join(str(predictor.path) for predictor in predictors)
    facts = [
        f"{len(results)} films of {summary['patients']} patients, split '{config.split}', scored by {names}"
        f"{', averaged over five views' if config.test_time_views else ''}. Every mask is compared at its film's own size. "
        "For research use; not a medical device."
    ]
    page = evaluation_page("Evaluation of lung and heart masks", facts, summary, results, failures)
    if comparisons:
        page.add(Heading("Against another evaluation"), comparison_table(comparisons, config.against))
    path = write_page(page, out)
    for structure, part in summary["structures"].items():
        dice = part["dice"]
        print(f"{structure:10s}  {dice['films']:4d} films  Dice {dice['mean']:.4f} [{dice['low']:.4f}, {dice['high']:.4f}]  "
              f"5th percentile {dice['p5']:.4f}  below 0.9: {100 * dice['below']:.1f} %")  # fmt: skip
    for record, reason in failures:
        print(f"failed: {record.file}: {reason}")
    for structure, c in comparisons.items():
        interval = f"[{c.difference.low:+.4f}, {c.difference.high:+.4f}]"
        print(
            f"{structure:10s}  {c.difference.value:+.4f} {interval} against {config.against}, p = {c.p:.4f}, {c.films} films"
        )
    print(f"Report: {path}")


if __name__ == "__main__":
    run(main)
