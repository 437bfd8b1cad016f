"""Describe who is in the data and what was measured: tables and figures from SQL, one report.

    python analyze.py                            # the database of the newest training, or the embedded phantom films
    python analyze.py --db films.sqlite --by source
    python analyze.py --run runs/own/evaluate-test   # with the scores of that evaluation, by group

Writes to --out: report.html and report.md with figures beside it, and one CSV per table.
"""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cli.command import DONE, run
from cli.settings import parse_settings, setting, settings_as_dict
from data.ingest import ensure_phantom
from db.connection import connect
from db.records import CONVENTIONS
from db.runs import find_run, finish_run, start_run
from db.selection import query_text, run_query
from report.cohort import finding_table, measurement_table, missing_table, odd_rows, table_one
from report.cohort_figures import (
    age_figure,
    finding_figure,
    flow_figure,
    measurement_figure,
    missing_figure,
    view_figure,
)
from report.figures import figure_bytes
from report.page import Heading, Page, Picture, Table, Text, write_page
from report.run_folder import write_csv
from report.scores import score_table


@dataclass(frozen=True)
class AnalyzeConfig:
    """Settings of `analyze.py`."""

    db: Path | None = setting(None, "database of films; without it that of --run, or the embedded phantom films")
    run: Path | None = setting(None, "folder of an evaluation whose scores to show by group")
    by: str = setting("sex", "column to group by: sex, source, view, modality, patient_position, finding ...")
    source: tuple[str, ...] = setting(("all",), "names of the sources to describe")
    convention: str = setting("clear_field", "masks that make a film usable, for the flow", choices=CONVENTIONS)
    provenance: tuple[str, ...] = setting(("manual", "landmark", "phantom"), "whose masks count, for the flow")
    out: Path | None = setting(None, "folder for the results; without it runs/analyze-NAME_OF_DATABASE")


def main(argv: list[str]) -> int:
    """Analyse as the arguments say and return the exit status."""
    config = parse_settings(AnalyzeConfig, argv, __doc__)
    db = config.db or database_of(config.run)
    out = config.out or Path("runs") / f"analyze-{db.stem}"
    connection = connect(db)
    parameters = {
        "convention": config.convention,
        "provenance": ",".join(config.provenance),
        "source": ",".join(config.source),
    }
    page = build_page(connection, config, parameters)
    out.mkdir(parents=True, exist_ok=True)
    run_id = start_run(connection, "analyze", out, settings_as_dict(config))
    path = write_page(page, out)
    write_tables(page, out)
    finish_run(connection, run_id)
    print(f"Report: {path}")
    return DONE


def database_of(run_folder: Path | None) -> Path:
    """Return the database that an evaluation used, or without one the embedded films'."""
    if run_folder is None:
        return ensure_phantom()
    path = run_folder / "summary.json"
    if not path.is_file():
        raise FileNotFoundError(f"--run {run_folder}: no summary.json there; name the folder that evaluate.py wrote")
    return Path(json.loads(path.read_text(encoding="utf-8"))["db"])


def build_page(connection: sqlite3.Connection, config: AnalyzeConfig, parameters: dict[str, str]) -> Page:
    """Compose the report from the queries."""

    def rows_of(query: str) -> list[dict]:
        return [dict(row) for row in run_query(connection, query_text(query), parameters)]

    rows = rows_of("cohort_images")
    if not rows:
        raise ValueError(
            f"no image of source {', '.join(config.source)} in the database; see `python -m data.ingest --help`"
        )
    page = Page("Who is in the data")
    add_flow(page, rows, rows_of("cohort_flow"), rows_of("refusals"))
    page.add(Heading("Patients and films"), table_one(rows, config.by))
    page.add(picture("ages", age_figure(rows), "Age and sex, every patient once."))
    page.add(picture("views", view_figure(rows), "Modality and view position (DICOM codes)."))
    page.add(Heading("Findings"), finding_table(rows))
    page.add(picture("findings", finding_figure(rows), "Findings as the sources state them."))
    page.add(Heading("What is missing"), missing_table(rows))
    page.add(picture("missing", missing_figure(rows), "Facts that are not stated."))
    odd = odd_rows(rows)
    if odd.rows:
        page.add(Heading("Rows to look at"), odd)
    values = rows_of("measurement_values")
    if values:
        page.add(Heading("Clinical measurements"), measurement_table(values))
        page.add(picture("measurements", measurement_figure(values), "The four most frequent measurements."))
    if config.run is not None:
        add_scores(page, connection, config)
    return page


def add_flow(page: Page, rows: list[dict], flow: list[dict], refusals: list[dict]) -> None:
    """Say how many images there are, how many are used, and what each condition removes."""
    patients, used = len({row["patient_id"] for row in rows}), flow[-1]["remaining"]
    page.add(
        Text(
            f"{len(rows)} images of {patients} patients. {used} of them are frontal chest films with a usable mask. "
            "An empty fact means 'not stated', never 'no'. For research use; not a medical device."
        ),
        Heading("From all rows to the films used"),
        picture("flow", flow_figure(flow), "Each condition and what it removes."),
    )
    lines = [(row["label"], row["removed"], row["remaining"]) for row in flow]
    page.add(Table(("condition", "removed", "remaining"), lines, source="db/queries/cohort_flow.sql"))
    if refusals:
        lines = [tuple(row.values()) for row in refusals]
        page.add(Table(tuple(refusals[0]), lines, "Refused at ingest.", source="db/queries/refusals.sql"))


def add_scores(page: Page, connection: sqlite3.Connection, config: AnalyzeConfig) -> None:
    """Show the scores of the evaluation in --run by group."""
    evaluation = find_run(connection, "evaluate", config.run)
    if evaluation is None:
        raise ValueError(
            f"--run {config.run}: the database has no evaluation with this folder; run evaluate.py with this --db"
        )
    scores = run_query(connection, query_text("scores_by_film"), {"run_id": evaluation["run_id"]})
    page.add(Heading("How well the masks agree, by group"), score_table([dict(row) for row in scores], config.by))


def picture(name: str, figure, caption: str) -> Picture:
    """Render a figure for the page."""
    return Picture(name, figure_bytes(figure), caption)


def write_tables(page: Page, folder: Path) -> None:
    """Write every table of the page as CSV, numbered in reading order."""
    tables = [block for block in page.blocks if isinstance(block, Table)]
    for number, table in enumerate(tables, start=1):
        write_csv(folder / f"table{number}.csv", table.columns, table.rows)


if __name__ == "__main__":
    run(main)
