"""The report of `analyze.py`: which query feeds which table and figure, in reading order."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from db.selection import query_text, run_query
from pipeline.measurers import main_measurers, not_shown, rows_to_show
from report.agreement import (
    REFERENCES,
    agreement_figure,
    agreement_table,
    enlarged_sentence,
    spread_sentence,
)
from report.cohort import (
    ODD_KEYS,
    acquisition_table,
    cohort_sentence,
    count_patients,
    finding_table,
    odd_table,
    table_one,
    view_table,
)
from report.cohort_figures import age_figure, finding_figure, flow_figure, missing_figure, view_figure, visit_figure
from report.counts import counted
from report.figures import Chart, figure_bytes
from report.gaps import dependence_table, missing_table
from report.measured import measurement_figure, measurement_table
from report.page import Heading, Page, Picture, Table, Text
from report.relations import Measured, gap_table, model_table, ratio_by_group_figure, relation_table
from report.scores import score_table
from report.visits import visit_table, visits

MIXED = (
    "{} sources are looked at together: a difference between groups may be one between hospitals, films or those who drew "
    "the masks. --source NAME looks at one."
)
WITHOUT_TRUTH = (
    "None of this evaluation's films that are described here has a reference mask, so nothing says how good their "
    "masks are."
)
PREDICTING = ("evaluate", "predict")  # commands whose values say something of a network, not of a film
COHORT = "db/queries/cohort_images.sql"


@dataclass
class Analysis:
    """A report under way: the database, what is asked of it, and the rows to look at found so far."""

    connection: sqlite3.Connection
    parameters: Mapping[str, str]
    by: str
    show_ids: bool
    page: Page = field(default_factory=lambda: Page("Who is in the data"))
    odd: list[dict] = field(default_factory=list)

    def rows_of(self, query: str, **more: object) -> list[dict]:
        """Run a named query of db/queries and return its rows."""
        return [dict(row) for row in run_query(self.connection, query_text(query), {**self.parameters, **more})]

    def cohort(self, evaluation: int | None) -> list[dict]:
        """Return the rows of cohort_images.sql; if no draw is asked for, with the splits that an evaluation's networks used."""
        rows = self.rows_of("cohort_images")
        if self.parameters["split_set"] or evaluation is None:
            return rows
        own = {score["image_id"]: score["split"] for score in self.rows_of("scores_by_film", run_id=evaluation)}
        return [{**row, "split": own.get(row["image_id"])} for row in rows]

    @cached_property
    def odd_values(self) -> list[dict]:
        """Rows of odd_values.sql: facts and measurements that cannot be, or hardly can."""
        return self.rows_of("odd_values")

    @cached_property
    def impossible(self) -> set[tuple[int, str, float]]:
        """(image_id, name, value) of what is odd: measurements among them are left out of every summary."""
        return {(row["image_id"], row["fact"], row["value"]) for row in self.odd_values}

    def add_figure(self, name: str, chart: Chart | None, caption: str, source: str) -> None:
        """Add a figure with its numbers, unless there is nothing to draw."""
        if chart is not None:
            data = figure_bytes(chart.figure)
            self.page.add(Picture(name, data, caption, columns=chart.columns, rows=chart.rows, source=source))

    def add_cohort(self, rows: list[dict]) -> None:
        """Describe who is in the data, how the films were taken, what is missing, and which values are impossible."""
        self._add_flow(rows)
        add, add_figure = self.page.add, self.add_figure
        add(Heading("Patients and films"), table_one(rows, self.by))
        add_figure("ages", age_figure(rows), "Age and sex, every patient once.", COHORT)
        studies, days = visits(rows)
        add(Heading("Visits", 3), visit_table(studies, days))
        add_figure(
            "visits", visit_figure(studies, days), "Studies of a patient, and days from one to the next.", COHORT
        )
        add(Heading("How the films were taken"), acquisition_table(rows), view_table(rows))
        add_figure("views", view_figure(rows), "Modality and view position (DICOM codes).", COHORT)
        self._add_findings(rows)
        add(Heading("What is missing"), missing_table(rows))
        add_figure("missing", missing_figure(rows), "Facts that are not stated, by source.", COHORT)
        dependence = dependence_table(rows)
        if dependence is not None:
            add(Heading("Is what is missing missing by chance?", 3), dependence)
        self._add_odd()

    def _add_findings(self, rows: list[dict]) -> None:
        stated = any(row["findings"] for row in rows)
        self.page.add(
            Heading("Findings"), finding_table(rows) if stated else Text("No finding is stated of any image.")
        )
        caption = "Findings as the sources state them, and which are stated together."
        self.add_figure("findings", finding_figure(rows), caption, COHORT)

    def _add_flow(self, rows: list[dict]) -> None:
        flow, refusals = self.rows_of("cohort_flow"), self.rows_of("refusals")
        self.page.add(
            Text(
                f"{counted(len(rows), 'image', 'images')} of {counted(count_patients(rows), 'patient', 'patients')}. "
                f"{counted(flow[-1]['remaining'], 'is a frontal chest film', 'are frontal chest films')} with a usable "
                "mask. An empty fact means 'not stated', never 'no'. For research use; not a medical device."
            ),
            Text(cohort_sentence(rows)),
            Heading("From all rows to the films used"),
        )
        self.add_figure("flow", flow_figure(flow), "Each condition and what it removes.", "db/queries/cohort_flow.sql")
        lines = [(row["label"], row["removed"], row["remaining"]) for row in flow]
        self.page.add(Table(("condition", "removed", "remaining"), lines, source="db/queries/cohort_flow.sql"))
        if refusals:
            lines = [tuple(row.values()) for row in refusals]
            self.page.add(Table(tuple(refusals[0]), lines, "Refused at ingest.", source="db/queries/refusals.sql"))

    def _add_odd(self) -> None:
        doubled = self.rows_of("duplicates")
        odd = [row for row in self.odd_values if row["command"] not in PREDICTING and not row["lent"]]
        self.odd += [{key: row[key] for key in ODD_KEYS} for row in odd]
        again = sum(row["same_file"] and row["same_person"] for row in doubled)
        for row in doubled:
            if row["same_file"] and row["same_person"]:
                continue
            person = "the same person" if row["same_person"] else "ANOTHER person"
            why = f"same bytes as image {row['first_image_id']} of {person}" + (", left out" if row["left_out"] else "")
            self.note(row["image_id"], row["source"], row["patient_id"], row["file"], "duplicate", None, why)
        if odd:
            self.page.add(Heading("Rows to look at"), odd_table(odd, self.show_ids))
        kept, others = sum(not row["left_out"] for row in doubled), sum(not row["same_person"] for row in doubled)
        self.page.add(
            Heading("Films that are there twice", 3),
            Text(
                f"{counted(len(doubled), 'image has', 'images have')} the same bytes as another one: "
                f"{len(doubled) - kept} recognised at ingest and left out, {kept} still counted; {others} listed "
                f"under another person; {again} are further rows of one file, as in a table with a row for each mask. "
                "Query: db/queries/duplicates.sql."
            ),
        )

    def note(self, *values: int | str | float | None) -> None:
        """Add a row for somebody to look at: image_id, source, patient_id, file, fact, value, why."""
        self.odd.append(dict(zip(ODD_KEYS, values, strict=True)))

    def add_measurements(self, runs: Sequence[int]) -> None:
        """Describe the clinical measurements, and how they vary with sex, age, view and findings.

        runs: those whose measurements are shown beside the sources' own values; if empty, the one that took most of each.
        """
        found = self.rows_of("measurement_names")
        names = rows_to_show(found, runs)
        if not names:
            return
        chosen = [(row, self._possible_values(row)) for row in names]
        chosen = [(row, values) for row, values in chosen if values]
        self.page.add(Heading("Clinical measurements"), measurement_table(chosen))
        self.add_figure(
            "measurements",
            measurement_figure(chosen),
            "Ratio and widths, and the most frequent other measurements.",
            "db/queries/measurement_values.sql",
        )
        left_out = None if runs else not_shown(found, names)
        if left_out:
            self.page.add(Text(left_out))
        main = main_measurers([row for row, _ in chosen])
        own = [Measured(row["name"], row["unit"], row["measured_by"], values) for row, values in chosen if row in main]
        self.page.add(Heading("Measurements and who the patients are", 3))
        self._warn_of_mixture(row for one in own for row in one.values)
        relations = relation_table(own)
        self.page.add(relations or Text("No two groups of ten patients or more to compare."))
        for name, unit, taken_by, values in own:
            if name == "cardiothoracic_ratio":
                caption = (
                    f"Cardiothoracic ratio by group, taken by {taken_by}, one value per patient: median, quartiles, 1.5 quartile "
                    "distances, and the patients beyond."
                )
                self.add_figure(
                    "ratio", ratio_by_group_figure(values, name, unit), caption, "db/queries/measurement_values.sql"
                )
                model = model_table(values, taken_by)
                if model is not None:
                    self.page.add(model)

    def _warn_of_mixture(self, rows: Iterable[dict]) -> None:
        """Say that groups are compared over several sources, where rows are of more than one."""
        sources = {row["source"] for row in rows}
        if len(sources) > 1:
            self.page.add(Text(MIXED.format(len(sources))))

    def _possible_values(self, name: dict) -> list[dict]:
        """Return the values of a row of measurement_names.sql, without those that cannot be."""
        values = self.rows_of("measurement_values", name=name["name"], run_id=name["run_id"])
        return [value for value in values if (value["image_id"], name["name"], value["value"]) not in self.impossible]

    def add_evaluation(self, rows: list[dict], run_id: int) -> None:
        """Describe an evaluation by group, and compare its measurements with the references.

        rows: of cohort_images.sql; films that are not among them are left out.
        """
        self.page.title = "An evaluation by group, and who is in the data"
        films = {row["image_id"]: row for row in rows}
        scores = self.rows_of("scores_by_film", run_id=run_id)
        scores = [{**score, **films[score["image_id"]]} for score in scores if score["image_id"] in films]
        self.page.add(
            Heading("How well the masks agree, by group"),
            score_table(scores, self.by) if scores else Text(WITHOUT_TRUTH),
        )
        gaps = gap_table(scores)
        if gaps is not None:
            self._warn_of_mixture(scores)
            self.page.add(gaps)
        pairs = [pair for pair in self.rows_of("measurement_pairs", run_id=run_id) if pair["image_id"] in films]
        odd = [(pair["image_id"], pair["name"], pair["stated"]) in self.impossible for pair in pairs]
        pairs = [{**pair, "stated": None} if is_odd else pair for pair, is_odd in zip(pairs, odd, strict=True)]
        for against, words in REFERENCES:
            table = agreement_table(pairs, against, words)
            if table is None:
                continue
            self.page.add(Heading(f"Measurements against {words}"))
            sentences = [
                enlarged_sentence(pairs, against, words),
                spread_sentence(pairs) if against == "reference" else None,
            ]
            self.page.add(*(Text(sentence) for sentence in sentences if sentence), table)
            caption = "Difference against mean of both; orange: bias, grey: limits of agreement, bands: 95 % intervals."
            self.add_figure(
                f"agreement-{against}", agreement_figure(pairs, against), caption, "db/queries/measurement_pairs.sql"
            )
        self.page.add(Heading("Who is in the data"))
