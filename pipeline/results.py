"""The files, rows and lines that an evaluation leaves: the same numbers in all of them."""

import csv
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from data.reasons import one_line
from data.writing import atomic_file
from db.records import MASK_STRUCTURES, ImageRecord
from db.scores import METRIC_COLUMNS, write_qualities, write_scores
from pipeline.comparison import Comparison, Other, compare_with, comparison_notes, comparison_table
from pipeline.evaluation import remove_masks
from pipeline.evaluation_summary import summarise_results
from pipeline.evaluation_words import conventions_in_words, learnt_in_words, origin_in_words, scored_in_words
from pipeline.groups import score_groups
from pipeline.measuring import keep_measurements
from pipeline.predictor import Predictor
from report.counts import counted
from report.evaluation import evaluation_page
from report.film_result import FilmResult
from report.page import Heading, write_page
from report.plain import plain
from report.reading_help import few_patients
from report.run_folder import write_csv
from unet.quality import GOOD_DICE

SCORE_COLUMNS = ("source", "image_id", "file", "patient_id", "split", "structure", "empty", *METRIC_COLUMNS,
                 "predicted_dice", "doubtful", "reference_sha256")  # fmt: skip
FILM_COLUMNS = ("source", "image_id", "file", "patient_id", "split", *(f"predicted_dice_{s}" for s in MASK_STRUCTURES),
                "doubtful", "cardiothoracic_ratio_true", "cardiothoracic_ratio_pred", "disagreement", "mask_name",
                "remarks")  # fmt: skip
UNFINISHED = ".masks"  # folder of masks whose evaluation is under way
Failures = Sequence[tuple[ImageRecord, str]]


def store_results(connection: sqlite3.Connection, run_id: int, out: Path, results: Sequence[FilmResult]) -> None:
    """Write scores, predicted qualities and measurements of an evaluation into the database."""
    write_scores(connection, run_id, [score for result in results for score in result.scores])
    qualities = [
        (result.record.image_id, name, quality.predicted_dice, quality.doubtful)
        for result in results
        for name, quality in result.quality.items()
    ]
    write_qualities(connection, run_id, qualities)
    keep_measurements(connection, run_id, out, results)


def write_results(
    out: Path,
    connection: sqlite3.Connection,
    run_id: int,
    facts: Mapping,
    predictors: Sequence[Predictor],
    results: Sequence[FilmResult],
    failures: Failures,
    against: Other | None,
) -> list[str]:
    """Write scores.csv, films.csv, summary.json and the report, and return the lines to print; earlier masks are removed.

    facts: the first entries of summary.json: database, settings, number of films trained on. against: another evaluation
    to compare with, or None.
    """
    remove_earlier_masks(out, results)
    place_masks(out)
    write_csv(out / "scores.csv", SCORE_COLUMNS, [_cells(SCORE_COLUMNS, row) for row in score_rows(results)])
    write_csv(out / "films.csv", FILM_COLUMNS, [_cells(FILM_COLUMNS, film_row(result)) for result in results])
    groups = score_groups(connection, run_id)
    comparison = None if against is None else compare_with(against, results)
    summary = {
        **facts,
        "checkpoints": [str(predictor.path) for predictor in predictors],
        "split_sets": [predictor.checkpoint.training["split_set"] for predictor in predictors],
        "failed": [{"file": record.file, "why": reason} for record, reason in failures],
        **summarise_results(results, predictors, groups),
        **_against(comparison),
        "remarks": Counter(remark for result in results for remark in result.remarks),
    }
    with atomic_file(out / "summary.json") as file:
        file.write((json.dumps(plain(summary), indent=2, allow_nan=False) + "\n").encode())
    history = predictors[0].checkpoint.progress.get("history", ()) if len(predictors) == 1 else ()
    others = conventions_in_words(predictors, results)
    sentences = [
        scored_in_words(facts, summary, predictors), origin_in_words(connection, predictors, results), *others,
        *_remarked(summary), *(f"Attention: {one.unfinished}." for one in predictors if one.unfinished),
    ]  # fmt: skip
    page = evaluation_page(sentences, summary, results, failures, groups, history)
    if comparison:
        page.add(Heading("Against another evaluation"), comparison_table(comparison))
    path = write_page(page, out)
    return [*others, *result_lines(summary, failures, comparison), f"Report: {path}"]


@contextmanager
def unfinished_masks(out: Path) -> Iterator[Path]:
    """Yield a folder for masks, which `write_results` puts in their place together with the scores.

    So an evaluation that is stopped leaves the masks of the one before as whole as its scores.
    """
    folder = out / UNFINISHED
    shutil.rmtree(folder, ignore_errors=True)  # of a call that was killed
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def place_masks(out: Path) -> None:
    """Move the masks of `unfinished_masks` to out/masks."""
    for path in (out / UNFINISHED).glob("*/*.png"):
        (out / "masks" / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.replace(out / "masks" / path.parent.name / path.name)


def remove_earlier_masks(out: Path, results: Sequence[FilmResult]) -> None:
    """Remove the masks that an earlier evaluation wrote here, by its films.csv, of films that this one wrote none of."""
    if not (out / "films.csv").is_file():
        return
    with open(out / "films.csv", encoding="utf-8", newline="") as file:
        before = {row.get("mask_name") for row in csv.DictReader(file)}
    names = (name for name in before - {result.mask_name for result in results} if name and Path(name).name == name)
    remove_masks(out / "masks", names)  # names, no paths: whoever wrote that table may not remove files elsewhere


def score_rows(results: Sequence[FilmResult]) -> list[dict]:
    """Return the rows of scores.csv: one per film and drawn structure."""
    rows = []
    for result in results:
        for score in result.scores:
            quality = result.quality.get(score["structure"])
            predicted = {"predicted_dice": quality.predicted_dice, "doubtful": int(quality.doubtful)} if quality else {}
            rows.append({**_film(result.record), **score, **predicted})
    return rows


def film_row(result: FilmResult) -> dict:
    """Return the row of films.csv: what is known of a film with or without truth."""
    return {
        **_film(result.record),
        **{f"predicted_dice_{name}": quality.predicted_dice for name, quality in result.quality.items()},
        "doubtful": " ".join(
            name for name in MASK_STRUCTURES if name in result.quality and result.quality[name].doubtful
        ),
        "cardiothoracic_ratio_true": result.ratio_true,
        "cardiothoracic_ratio_pred": result.ratio_pred,
        "disagreement": result.disagreement,
        "mask_name": result.mask_name,
        "remarks": "; ".join(result.remarks),
    }


def _against(comparison: Comparison | None) -> dict:
    structures = comparison.structures if comparison else {}
    return {
        "against": {name: {"films": c.films, **c.difference._asdict(), "p": c.p} for name, c in structures.items()},
        "redrawn": comparison.redrawn if comparison else 0,
    }


def result_lines(summary: dict, failures: Failures, comparison: Comparison | None) -> Iterator[str]:
    """Yield what the terminal shows: the means, the films that failed, and the comparison."""
    for structure, part in summary["structures"].items():
        yield _dice_line(structure, part["dice"])
    if few := few_patients(summary, units=()):  # of distances nothing is said here
        yield few
    if not summary["structures"]:
        yield "No film of this selection has a reference mask: there are predictions and their predicted quality only."
        for structure, part in summary["predicted_quality"].items():
            yield f"{structure:10s}  {part['films']:4d} films  doubtful: {part['doubtful']}"
    elif summary["without_truth"]:
        yield f"{counted(summary['without_truth'], 'film has', 'films have')} no reference mask and no part in any mean."
    for structure, part in summary["predicted_quality"].items():
        if part.get("below"):
            caught = round(part["caught"] * part["below"])
            yield f"{structure:10s}  {counted(part['below'], 'film', 'films')} below {GOOD_DICE}, {caught} called doubtful"
    if summary["trained_on"]:
        yield learnt_in_words(summary["trained_on"])
    yield from _remarked(summary)
    for record, reason in failures:
        yield f"failed: {one_line(record.file)}: {reason}"
    if comparison:
        yield from _comparison_lines(comparison)


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    for structure, c in comparison.structures.items():
        value, low, high = c.difference
        bounds = f" [{low:+.4f}, {high:+.4f}]" if low == low else ""
        films = counted(c.films, "film", "films")
        yield f"{structure:10s}  {value:+.4f}{bounds} against {comparison.folder}, p = {c.p:.4f}, {films}"
    yield from comparison_notes(comparison)


def _dice_line(structure: str, dice: Mapping) -> str:
    bounds = f" [{dice['low']:.4f}, {dice['high']:.4f}]" if dice["low"] == dice["low"] else ""
    worst = f"5th percentile {dice['p5']:.4f}" if dice["p5"] == dice["p5"] else f"worst {dice['least']:.4f}"
    empty = f"  empty masks: {dice['empty']}" if dice["empty"] else ""
    return (
        f"{structure:10s}  {dice['films']:4d} films  Dice {dice['mean']:.4f}{bounds}  {worst}  "
        f"below {GOOD_DICE}: {100 * dice['below']:.1f} %{empty}"
    )


def _remarked(summary: Mapping) -> Iterator[str]:
    for remark, films in summary["remarks"].items():
        yield f"{counted(films, 'film', 'films')}: {remark} (remarks in films.csv)."


def _film(record: ImageRecord) -> dict:
    return {
        "source": record.source, "image_id": record.image_id, "file": record.file, "patient_id": record.patient_id,
        "split": record.split,
    }  # fmt: skip


def _cells(columns: Sequence[str], row: Mapping) -> list:
    return [row.get(column) for column in columns]
