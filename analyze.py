"""Describe who is in the data and what was measured: tables and figures from SQL, one report.

    python analyze.py                            # the embedded phantom films
    python analyze.py --db films.sqlite --by source
    python analyze.py --run runs/own/evaluate-test   # with the scores of that evaluation, and its measurements' agreement
    python analyze.py --db films.sqlite --measure    # with what the stored masks measure

Writes to --out: report.html and report.md (or report.json), a CSV for each table and figure (table-HEADING.csv, figure-NAME.csv),
and rows_to_look_at.csv.
Identifiers of patients and names of files stay out unless --show-ids.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.command import DONE, SOME_FAILED, check_alone, run
from cli.progress import track
from cli.settings import parse_settings, setting, settings_as_dict
from data.ingest import ensure_phantom
from data.writing import sole_writer
from db.asked import check_asked, query_parameters
from db.connection import connect_existing
from db.records import CONVENTIONS
from db.runs import closing_run, find_run, start_run
from db.scores import write_measurements
from db.selection import Selection, query_text
from db.splits import is_drawn, split_sets
from pipeline.analysis import Analysis
from pipeline.likeness import UNREADABLE, find_likenesses
from pipeline.measurers import runs_to_show
from pipeline.measuring import measure_references
from report.cohort import GROUPINGS, check_group
from report.counts import counted
from report.page import Block, Heading, Picture, Table, remove_page, write_page
from report.run_folder import check_command, read_json, write_csv, write_settings

FORMATS = ("html", "md", "json")
USUAL_SPLIT = "seed0"
ODD_COLUMNS = ("image_id", "source", "fact", "value", "why")
ID_COLUMNS = ("patient_id", "file")


@dataclass(frozen=True)
class AnalyzeConfig:
    """Settings of `analyze.py`."""

    db: Path | None = setting(None, "database of films; without it that of --run, or the embedded phantom films")
    run: Path | None = setting(None, "folder of an evaluation whose scores to show by group")
    by: str = setting("sex", f"column to group by: {', '.join(GROUPINGS)}; with --show-ids also what names patients")
    source: tuple[str, ...] = setting(("all",), "names of the sources to describe")
    convention: str = setting("clear_field", "masks that make a film usable, for the flow", choices=CONVENTIONS)
    provenance: tuple[str, ...] = setting(("manual", "landmark", "phantom"), "whose masks count, for the flow")
    split_set: str | None = setting(
        None,
        "name of the draw whose splits --by split shows; without it that of --run's network (of several folds each film's own), "
        f"without --run {USUAL_SPLIT}",
    )
    measure: bool = setting(
        False, "measure the stored masks of the films that the flow keeps, keep the values, draw some"
    )
    likenesses: bool = setting(False, "open every film and look for the same picture in another file")
    format: str = setting("html", "html (with its Markdown twin), md or json", choices=FORMATS)
    show_ids: bool = setting(
        False, "name patients and files in the list of rows to look at, and let --by name patients"
    )
    out: Path | None = setting(
        None, "folder for the results; without it runs/analyze-NAME_OF_DATABASE, or -NAME_OF_RUN"
    )


def main(argv: list[str]) -> int:
    """Analyse as the arguments say and return the exit status."""
    config = parse_settings(AnalyzeConfig, argv, __doc__)
    check_alone("analyze.py")
    db = config.db or database_of(config.run)
    about = "-".join(config.run.resolve().parts[-2:]) if config.run else db.stem
    out = config.out or Path("runs") / f"analyze-{about}"
    check_command(out, "analyze")
    connection = connect_existing(db)
    check_settings(connection, config)
    evaluation = None if config.run is None else evaluation_of(connection, config.run)
    parameters = query_parameters(config.convention, config.provenance, config.source)
    parameters["split_set"] = split_set_of(connection, config) or ""  # "": no film is in any split
    analysis = Analysis(connection, parameters, config.by, config.show_ids)
    rows = analysis.cohort(evaluation)
    if not rows:
        raise ValueError(
            f"no image of source {', '.join(config.source)} in the database; see `python -m data.ingest --help`"
        )
    films = films_to_measure(connection, parameters) if config.measure else None
    run_id = start_run(connection, "analyze", out, settings_as_dict(config))
    with closing_run(connection, run_id), sole_writer(out):
        write_settings(out, "analyze", settings_as_dict(config))
        if films is not None:
            progress = track(films, len(films), "measuring film")
            write_measurements(connection, run_id, measure_references(progress, out / "measured"))
        if evaluation is not None:  # what was asked for by name comes first
            analysis.add_evaluation(rows, evaluation)
        analysis.add_cohort(rows)
        if config.likenesses:
            add_likenesses(analysis, connection)
        analysis.add_measurements(runs_to_show(connection, run_id if config.measure else None, evaluation))
        path = write_results(analysis, out, config)
    if films is not None:
        print(f"Some films of each source with every measured line: {out / 'measured'}")
    print(f"Report: {path}")
    unreadable = sum(row["fact"] == UNREADABLE for row in analysis.odd)
    if unreadable:
        print(
            f"{counted(unreadable, 'film', 'films')} could not be read: see {out / 'rows_to_look_at.csv'}; --show-ids names them"
        )
    return SOME_FAILED if unreadable else DONE


def split_set_of(connection: sqlite3.Connection, config: AnalyzeConfig) -> str | None:
    """Return the draw whose splits are shown: the one asked for, that of --run's network, or the usual one.

    None where the networks of --run do not share one draw that the database has: the scores hold each film's own split.
    """
    if config.split_set is not None or config.run is None:
        return config.split_set or USUAL_SPLIT
    drawn = {*summary_of(config.run).get("split_sets", ())}
    return next(iter(drawn)) if len(drawn) == 1 and all(is_drawn(connection, name) for name in drawn) else None


def check_settings(connection: sqlite3.Connection, config: AnalyzeConfig) -> None:
    """Refuse what was asked for by name but does not exist, or would change nothing."""
    check_group(config.by, config.show_ids)
    asked = {"source": config.source, "provenance": config.provenance}
    check_asked(connection, query_text("segmentation_images"), asked)
    if config.split_set is not None and config.by != "split":
        raise ValueError(f"--split-set {config.split_set} changes nothing without --by split")
    split_set = config.split_set or USUAL_SPLIT
    needed = config.split_set is not None or config.by == "split" and config.run is None
    if needed and not is_drawn(connection, split_set):
        known = ", ".join(split_sets(connection)) or "none"
        asked_by = f"--split-set {split_set}" if config.split_set else f"--by split: the usual draw is {split_set}"
        raise ValueError(f"{asked_by}: no such draw; the database has {known}: name one by --split-set, or a --run")


def films_to_measure(connection: sqlite3.Connection, parameters: dict[str, str]) -> Selection:
    """Return the films that the flow keeps; ValueError where it keeps none, since --measure would change nothing."""
    films = Selection(connection, query_text("segmentation_images"), parameters)
    if not films:
        raise ValueError(
            f"--measure: no frontal chest film of these sources has a {parameters['convention']} mask made by "
            f"{parameters['provenance']}; name another --source, --convention or --provenance, or leave --measure out"
        )
    return films


def database_of(run_folder: Path | None) -> Path:
    """Return the database that an evaluation used, or without one that of the embedded films."""
    if run_folder is None:
        return ensure_phantom()
    return Path(summary_of(run_folder)["db"])


def summary_of(run_folder: Path) -> dict:
    """Return the summary.json that evaluate.py wrote into its folder."""
    path = run_folder / "summary.json"
    if not path.is_file():
        raise FileNotFoundError(f"--run {run_folder}: no summary.json there; name the folder that evaluate.py wrote")
    summary = read_json(path)
    if "db" not in summary:
        raise ValueError(f"{path}: not written by evaluate.py, it names no database; name the folder of an evaluation")
    return summary


def evaluation_of(connection: sqlite3.Connection, folder: Path) -> int:
    """Return the run_id of the evaluation whose results are in a folder."""
    evaluation = find_run(connection, "evaluate", folder, "finished")
    if evaluation is None:
        latest = find_run(connection, "evaluate", folder)
        known = f", the latest is {latest['status']}" if latest else ""
        raise ValueError(
            f"--run {folder}: the database has no finished evaluation with this folder{known}; run evaluate.py with this --db"
        )
    return evaluation["run_id"]


def add_likenesses(analysis: Analysis, connection: sqlite3.Connection) -> None:
    """Open every film and note those that show the same picture."""
    films = Selection(connection, query_text("every_image"), analysis.parameters)
    table, notes = find_likenesses(track(films, len(films), "comparing film"))
    analysis.page.add(table)
    for note in notes:
        analysis.note(*note)


def write_results(analysis: Analysis, out: Path, config: AnalyzeConfig) -> Path:
    """Write the report in the asked format, every table and every figure's numbers as CSV, and the rows to look at."""
    formats = ("html", "md") if config.format == "html" else (config.format,)
    if (out / "rows_to_look_at.csv").exists():  # an earlier analysis: the new page does not show all of its tables
        for stale in (*out.glob("table-*.csv"), *out.glob("figure-*.csv")):
            stale.unlink()
        for stale in () if config.measure else (out / "measured").glob("*.png"):
            stale.unlink()
        remove_page(out, [format for format in FORMATS if format not in formats])
    columns = (*ODD_COLUMNS, *(ID_COLUMNS if config.show_ids else ()))
    write_csv(out / "rows_to_look_at.csv", columns, [[row[column] for column in columns] for row in analysis.odd])
    for name, table in named_tables(analysis.page.blocks):
        write_csv(out / f"table-{name}.csv", table.columns, table.rows)
    for picture in (block for block in analysis.page.blocks if isinstance(block, Picture)):
        write_csv(out / f"figure-{picture.name}.csv", picture.columns, picture.rows)
    return write_page(analysis.page, out, formats)


def named_tables(blocks: Iterable[Block]) -> Iterator[tuple[str, Table]]:
    """Yield each table with a unique name: its heading in lower case with hyphens, numbered from the second table on.

    So a table keeps its name when another selection of films adds or omits tables before it.
    """
    heading, seen = "", Counter()
    for block in blocks:
        if isinstance(block, Heading):
            heading = "-".join(re.findall(r"\w+", block.text.lower()))
        elif isinstance(block, Table):
            seen[heading] += 1
            yield heading if seen[heading] == 1 else f"{heading}-{seen[heading]}", block


if __name__ == "__main__":
    run(main)
