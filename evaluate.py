"""Score a trained network on films it has not seen: numbers per film, means with intervals, pictures, one report.

    python evaluate.py                                    # the newest training, its test films
    python evaluate.py --checkpoint runs/own/best.pt      # a certain one
    python evaluate.py --checkpoint runs/cross            # all folds: each film by the network that never saw it

Writes to --out: scores.csv (film and structure), films.csv, summary.json, report.html, report.md, and with --save-masks
masks/<structure>/<film's stem>.png, numbered where stems repeat (mask_name in films.csv); masks that an earlier evaluation left
there and that this one does not write are removed. Films that nobody has drawn get masks and a predicted quality: --query
undrawn_images --split all.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cli.command import DONE, SOME_FAILED, check_alone, run
from cli.progress import track
from cli.settings import parse_settings, setting, settings_as_dict
from data.writing import sole_writer
from db.asked import check_asked, query_parameters
from db.connection import connect_existing
from db.records import ImageRecord
from db.runs import closing_run, find_run, start_run
from db.selection import Selection, query_text
from db.splits import is_drawn
from pipeline.comparison import read_other
from pipeline.evaluation import Wanted, evaluate_films, mask_names
from pipeline.found_checkpoints import find_checkpoints
from pipeline.predictor import Predictor
from pipeline.results import store_results, unfinished_masks, write_results
from report.film_result import FilmResult
from report.run_folder import check_command, check_same_films, write_settings
from unet.device import PRECISIONS, keep_freed_memory

RUNS = Path("runs")
NEEDED = ("db", "source", "query", "convention", "provenance", "split_set")  # among a checkpoint's training settings
NEEDED_OF_FOLDS = (*NEEDED, "fold", "folds")


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
    out: Path | None = setting(
        None,
        "folder for the results; without it evaluate-SPLIT beside the checkpoint, followed by its name if that is not best.pt, "
        "by --db, --source, --query, views",
    )
    against: Path | None = setting(None, "folder of another evaluation to compare with, film by film")
    save_masks: bool = setting(False, "write the predicted masks as PNG files of the films' own size")
    test_time_views: bool = setting(False, "average over five slightly changed copies of each film")
    uncertainty_maps: bool = setting(False, "as --test-time-views, and draw where the copies disagree")
    device: str = setting("auto", "auto, cpu, cuda or mps")
    precision: str = setting("auto", "number format of the convolutions", choices=PRECISIONS)


def main(argv: list[str]) -> int:
    """Evaluate as the arguments say and return the exit status."""
    config = parse_settings(EvaluateConfig, argv, __doc__)
    keep_freed_memory()
    check_alone("evaluate.py")
    folder, paths, are_folds = find_checkpoints(config.checkpoint, RUNS)
    views = config.test_time_views or config.uncertainty_maps
    first = Predictor(paths[0], config.device, config.precision, views)
    others = [
        Predictor(path, config.device, first.precision, views) for path in paths[1:]
    ]  # all folds in one number format
    predictors = [first, *others]
    for predictor in predictors:
        check_training(predictor, NEEDED_OF_FOLDS if are_folds else NEEDED)
    out = config.out or folder / "-".join(
        ["evaluate", config.split, *chosen_in_words(config, paths[0], predictors[0].checkpoint.training)]
    )
    check_command(out, "evaluate")
    training = predictors[0].checkpoint.training
    db = (config.db or Path(training["db"])).absolute()
    connection = connect_existing(db)
    # the query by its text: its file may lie anywhere, and a name of db/queries may be written out
    asked = {
        "db": str(db.resolve()),
        "query": sha256(query_text(config.query or training["query"]).encode()).hexdigest(),
    }
    if config.out is None:
        check_same_films(out, asked)
    members = [(predictor, select_records(connection, config, predictor)) for predictor in predictors]
    if are_folds:
        check_folds(predictors, folder)
    check_selection(members, config)
    trained_on = count_trained_on(members, config)
    films = [record for _, records in members for record in records]
    other = None if config.against is None else read_other(config.against, out, films)
    parent = find_run(connection, "train", paths[0].parent)
    run_id = start_run(connection, "evaluate", out, settings_as_dict(config), parent and parent["run_id"])
    facts = {"db": str(db), "settings": settings_as_dict(config), "precision": first.reason, "trained_on": trained_on}
    with closing_run(connection, run_id), sole_writer(out), unfinished_masks(out) as mask_folder:
        write_settings(out, "evaluate", settings_as_dict(config), asked)
        wanted = Wanted(mask_folder, mask_names(films) if config.save_masks else {}, config.uncertainty_maps)
        results, failures = score_all(members, wanted)
        if not results:
            record, why = failures[0]
            raise ValueError(f"none of the {len(failures)} films could be read; the first: {record.path}: {why}")
        store_results(connection, run_id, out, results)
        lines = write_results(out, connection, run_id, facts, predictors, results, failures, other)
    if config.db is None:
        lines.insert(
            0, f"Films of {db}, from which the network was trained; scores are kept there too (--db names another)"
        )
    print("\n".join(lines))  # after the run's end: nobody may be reading it any more
    return SOME_FAILED if failures else DONE


def check_training(predictor: Predictor, needed: Sequence[str]) -> None:
    """Refuse a checkpoint that does not say how its films were selected: nobody could tell which it has not seen."""
    lacking = [name for name in needed if name not in predictor.checkpoint.training]
    if lacking:
        raise ValueError(
            f"checkpoint {predictor.path}: it does not say the {', '.join(lacking)} of its training, so nobody can say which "
            "films it has not seen; name a best.pt of train.py"
        )


def chosen_in_words(config: EvaluateConfig, checkpoint: Path, training: Mapping) -> list[str]:
    """Return the choices that differ from the usual, by their names, for a folder's name: they do not overwrite the first."""
    elsewhere = config.db is not None and config.db.resolve() != Path(training["db"]).resolve()
    words = [
        checkpoint.stem if checkpoint.stem != "best" else "",
        config.db.stem if elsewhere else "",
        *(sorted(config.source) if {*config.source} != {*training["source"]} else ()),
        Path(config.query).stem
        if config.query and Path(config.query).absolute() != Path(training["query"]).absolute()
        else "",
        "views" if config.test_time_views or config.uncertainty_maps else "",
    ]
    return [re.sub(r"[^\w.]+", "_", word) for word in words if word]


def select_records(connection: sqlite3.Connection, config: EvaluateConfig, predictor: Predictor) -> list[ImageRecord]:
    """Return the films of the asked split, by the selection and the split set that the network was trained with."""
    training = predictor.checkpoint.training
    parameters = query_parameters(training["convention"], training["provenance"], config.source or training["source"])
    query = query_text(config.query or training["query"])
    check_asked(connection, query, {"source": config.source} if config.source else {})
    if config.split != "all" and not is_drawn(connection, training["split_set"]):
        raise ValueError(
            f"{predictor.path} was trained with the split {training['split_set']}, which this database does not have, so nobody "
            "can say which films it has not seen; name the --db it was trained with, or --split all"
        )
    films = Selection(connection, query, parameters, training["split_set"])
    return [record for record in films if config.split in ("all", record.split)]


def count_trained_on(members: Sequence[tuple[Predictor, list[ImageRecord]]], config: EvaluateConfig) -> int:
    """Return how many films their network learnt from or was chosen by, by their bytes; ValueError for any in the test split."""
    total = 0
    for predictor, records in members:
        if not predictor.learnt_from:
            print(f"{predictor.path} is of an older release and does not say which films it has learnt from")
        count = sum(record.content_sha256 in predictor.learnt_from for record in records)
        if count and config.split == "test":
            alone = (
                "name the --db it was trained with, or train with weights that have seen none of these films: after --init "
                "films that the first network learnt from can test nothing"
            )
            folds = "train the folds without --init, or begin with weights that have seen none of these films"
            raise ValueError(
                f"{predictor.path}, or the weights it was begun with, has learnt from {count} of these {len(records)} films, "
                f"whatever this database calls them; {alone if len(members) == 1 else folds}"
            )
        total += count
    return total


def check_folds(predictors: Sequence[Predictor], folder: Path) -> None:
    """Refuse to pool what is not one whole cross-validation: some films would be left out silently, others counted twice."""
    trainings = [predictor.checkpoint.training for predictor in predictors]
    for name in ("seed", "folds", "query", "source", "convention", "provenance"):
        if any(training[name] != trainings[0][name] for training in trainings):
            raise ValueError(
                f"--checkpoint {folder}: its folds were trained with different --{name}, so some films would be scored twice and "
                "others never; train the odd ones again, or name one fold's best.pt"
            )
    twice = [fold for fold, count in Counter(training["fold"] for training in trainings).items() if count > 1]
    if twice:
        raise ValueError(f"--checkpoint {folder}: fold {twice[0]} is there twice; take one of them out of the folder")
    finished = {p.checkpoint.training["fold"] for p in predictors if p.checkpoint.validation}
    lacking = sorted({*range(1, trainings[0]["folds"] + 1)} - finished)
    if lacking:
        raise ValueError(
            f"--checkpoint {folder}: fold {', '.join(map(str, lacking))} is not trained to its end; go on with "
            f"python train.py --resume {folder}, or name one fold's best.pt"
        )


def check_selection(members: Sequence[tuple[Predictor, list[ImageRecord]]], config: EvaluateConfig) -> None:
    """Refuse to evaluate nothing, and to count a film twice."""
    if not any(records for _, records in members):
        raise ValueError(
            f"no film in the {config.split} split of this selection; try "
            f"{'' if config.split == 'all' else '--split all, or '}another --db, --source or --query"
            f"{'' if config.query == 'undrawn_images' else ' (undrawn_images: films without a mask)'}"
        )
    if len(members) > 1 and config.split != "test":
        raise ValueError(f"--split {config.split}: folds are scored on their own test films; leave --split out")


def score_all(
    members: Sequence[tuple[Predictor, list[ImageRecord]]], wanted: Wanted
) -> tuple[list[FilmResult], list[tuple[ImageRecord, str]]]:
    """Return the results of all films, and the films that could not be read with the reason."""
    outcomes = (pair for predictor, records in members for pair in evaluate_films(predictor, records, wanted))
    results, failures = [], []
    for record, outcome in track(outcomes, sum(len(records) for _, records in members), "scoring film"):
        if isinstance(outcome, FilmResult):
            results.append(outcome)
        else:
            failures.append((record, outcome))
    return results, failures


if __name__ == "__main__":
    run(main)
