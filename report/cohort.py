"""Who is in the data: tables of the cohort from the rows of db/queries, ready for a report. Small groups are not given rates."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from report.page import Table

SMALLEST_GROUP = 10  # patients; of fewer no share is shown, it would say more about persons than about groups
NOT_STATED = "not stated"
FACTS = (
    ("sex", "sex"), ("age_years", "age"), ("view", "view position"), ("modality", "modality"),
    ("patient_position", "patient position"), ("body_part", "body part"), ("photometric", "photometric interpretation"),
    ("row_spacing_mm", "pixel spacing"),
    ("study_date", "study date"), ("offset_days", "days since first event"), ("findings", "findings"),
)  # fmt: skip
CATEGORIES = (
    ("sex", "sex"),
    ("view", "view position"),
    ("modality", "modality"),
    ("patient_position", "patient position"),
)

Rows = Sequence[dict]


def table_one(rows: Rows, by: str) -> Table:
    """Return the usual first table: images, patients, age, sex, view, modality for each group and for all."""
    groups = {"all": list(rows), **group_rows(rows, by)}
    lines: list[list] = [["images", *(len(group) for group in groups.values())]]
    lines.append(["patients", *(count_patients(group) for group in groups.values())])
    lines.append(["age, years: median (quartiles)", *(_age(group) for group in groups.values())])
    for column, title in CATEGORIES:
        for level in sorted({_level(row[column]) for row in rows}):
            lines.append([f"{title}: {level}", *(_share(group, column, level) for group in groups.values())])
    caption = f"By {by}. Counts are images; shares only for groups of {SMALLEST_GROUP} patients or more."
    return Table(("", *groups), lines, caption, source="db/queries/cohort_images.sql")


def missing_table(rows: Rows) -> Table:
    """Return, for each fact, how many images do not state it."""
    lines = [(title, missing, missing / len(rows)) for _, title, missing in missing_counts(rows)]
    return Table(
        ("fact", "not stated", "share"), lines, f"Of {len(rows)} images.", source="db/queries/cohort_images.sql"
    )


def missing_counts(rows: Rows) -> list[tuple[str, str, int]]:
    """Return (column, title, images without it) for every fact."""
    return [(column, title, sum(row[column] is None for row in rows)) for column, title in FACTS]


def finding_table(rows: Rows) -> Table:
    """Return how often each finding is stated, in images and patients."""
    images, patients = Counter(), {}
    for row in rows:
        for finding in split_findings(row):
            images[finding] += 1
            patients.setdefault(finding, set()).add(row["patient_id"])
    lines = [(finding, count, len(patients[finding])) for finding, count in images.most_common(25)]
    return Table(("finding", "images", "patients"), lines, "Findings as the sources state them, the 25 most frequent.",
                 source="db/queries/cohort_images.sql")  # fmt: skip


def measurement_table(values: Rows) -> Table:
    """Return the clinical measurements: number, median and quartiles, smallest and largest, by who took them."""
    lines = []
    for (name, unit, by), group in _grouped(values, lambda row: (row["name"], row["unit"], row["measured_by"])).items():
        numbers = np.array([row["value"] for row in group])
        low, median, high = np.percentile(numbers, [25, 50, 75])
        lines.append((name, unit, by, len(group), count_patients(group), float(median), float(low), float(high),
                      float(numbers.min()), float(numbers.max())))  # fmt: skip
    columns = (
        "measurement",
        "unit",
        "taken by",
        "films",
        "patients",
        "median",
        "1st quartile",
        "3rd quartile",
        "least",
        "most",
    )
    return Table(columns, lines, "Clinical measurements.", source="db/queries/measurement_values.sql")


def odd_rows(rows: Rows) -> Table:
    """Return the images whose facts cannot be or are unlikely, for somebody to look at; identifiers are database numbers."""
    lines = []
    for row in rows:
        age = row["age_years"]
        if age is not None and (age <= 0 or age > 110):
            lines.append((row["image_id"], row["source"], f"age {age:g} years"))
    return Table(("image_id", "source", "what is odd"), lines, f"{len(lines)} images with impossible or unlikely facts.",
                 source="db/queries/cohort_images.sql")  # fmt: skip


def group_rows(rows: Rows, by: str) -> dict[str, list[dict]]:
    """Group rows by a column; for `finding` a row is in the group of each of its findings, the six most frequent."""
    if not rows or (by not in rows[0] and by != "finding"):
        known = ", ".join([*rows[0], "finding"]) if rows else "none: there are no rows"
        raise ValueError(f"--by {by}: no such column; known are {known}")
    if by != "finding":
        return {str(key): group for key, group in sorted(_grouped(rows, lambda row: _level(row[by])).items())}
    frequent = [finding for finding, _ in Counter(f for row in rows for f in split_findings(row)).most_common(6)]
    return {finding: [row for row in rows if finding in split_findings(row)] for finding in frequent}


def split_findings(row: dict) -> list[str]:
    """Return the findings of an image."""
    return row["findings"].split("|") if row["findings"] else []


def count_patients(rows: Rows) -> int:
    """Return the number of persons behind some rows."""
    return len({row["patient_id"] for row in rows})


def _grouped(rows: Rows, key: Callable) -> dict:
    groups: dict = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _level(value) -> str:
    return NOT_STATED if value is None else str(value)


def _age(rows: Rows) -> str:
    ages = [row["age_years"] for row in rows if row["age_years"] is not None]
    if not ages:
        return NOT_STATED
    low, median, high = np.percentile(ages, [25, 50, 75])
    return f"{median:.0f} ({low:.0f} to {high:.0f}); {len(rows) - len(ages)} {NOT_STATED}"


def _share(rows: Rows, column: str, level: str) -> str:
    count = sum(_level(row[column]) == level for row in rows)
    if count_patients(rows) < SMALLEST_GROUP:
        return str(count)
    return f"{count} ({100 * count / len(rows):.0f} %)"
