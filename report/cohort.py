"""Who is in the data: tables of the cohort from the rows of db/queries, ready for a report. Small groups get no percentages."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from report.counts import counted
from report.page import Table
from unet.association import smd, smd_shares
from unet.summary import SMALLEST_GROUP

MOST_FINDINGS = 25
FEWEST_PATIENTS = 3
NOT_STATED = "not stated"
FEW = "few patients: do not compare"  # what is said of a group with fewer than SMALLEST_GROUP
FACTS = (
    ("sex", "sex"), ("age_years", "age"), ("view", "view position"), ("modality", "modality"),
    ("patient_position", "patient position"), ("body_part", "body part"), ("photometric", "photometric interpretation"),
    ("row_spacing_mm", "pixel spacing"),
    ("study_date", "study date"), ("offset_days", "days since first event"), ("findings", "findings"),
)  # fmt: skip
GROUPINGS = (
    "sex", "age_group", "source", "view", "modality", "patient_position", "body_part", "photometric", "split", "masks",
    "row_spacing_mm", "column_spacing_mm", "spacing_origin", "rows", "columns", "finding",
)  # fmt: skip
NAMING = ("patient_id", "study_id", "image_id", "study_date", "offset_days", "age_years", "findings")
"""Columns that identify persons rather than groups: `findings` holds all the words that a source has for one film."""
ODD_KEYS = ("image_id", "source", "patient_id", "file", "fact", "value", "why")
CATEGORIES = (
    ("sex", "sex"),
    ("view", "view position"),
    ("modality", "modality"),
    ("patient_position", "patient position"),
)

Rows = Sequence[dict]


def table_one(rows: Rows, by: str) -> Table:
    """Return the usual first table: images, patients, age, sex, view, modality for all and for each group, and
    how far groups differ.

    The last column is the standardised mean difference of every patient's first film, the largest of any two groups.
    """
    groups = group_rows(rows, by)
    people = {name: first_films(group) for name, group in groups.items()}
    columns = {"all": list(rows), **groups}
    lines: list[list] = [["images", *(len(group) for group in columns.values()), None]]
    sizes = [count_patients(group) for group in columns.values()]
    few = [size < SMALLEST_GROUP for size in sizes]
    lines.append(["patients", *sizes, None])
    compared = [group for name, group in people.items() if name != NOT_STATED]
    ages = [[row["age_years"] for row in group if row["age_years"] is not None] for group in compared]
    persons = [first_films(rows), *people.values()]
    lines.append(["patients' age, years: median (quartiles)", *map(_age, persons), _largest(smd, ages, len)])
    unknown = (sum(row["age_years"] is None for row in group) for group in persons)
    lines.append([f"patients' age: {NOT_STATED}", *unknown, None])
    for column, title in CATEGORIES:
        if column == by:
            continue
        levels = sorted({_level(row[column]) for row in rows})
        counts = [_counts(group, column) for group in compared]
        stated = [level for level in levels if level != NOT_STATED]
        numbers = [[own[level] for level in stated] for own in counts]
        difference = _largest(smd_shares, numbers, sum) if len(stated) > 1 else None
        images = [_counts(group, column) for group in columns.values()]
        for level in levels:
            shares = (
                _share(own[level], len(group), small)
                for own, group, small in zip(images, columns.values(), few, strict=True)
            )
            lines.append([f"{title}: {level}", *shares, difference if level == levels[0] else None])
    caption = (
        f"By {by}. Counts are images, but for patients and ages (of the first film in the group); shares only for groups of "
        f"{SMALLEST_GROUP} patients or more. SMD: standardised mean difference between groups, each patient's first film, the "
        "largest of any two stated groups of that many patients, over what is stated; above 0.1 is usually called unbalanced."
    )
    return Table(("fact", *columns, "SMD"), lines, caption, source="db/queries/cohort_images.sql")


def _largest(measure: Callable, groups: Sequence[Sequence[float]], persons: Callable) -> float | None:
    """Return the largest difference between two large enough groups; None where there are no two. persons: of a group."""
    large = [group for group in groups if persons(group) >= SMALLEST_GROUP]
    found = [measure(one, other) for one, other in combinations(large, 2)]
    return max((value for value in found if value == value), default=None)


def finding_table(rows: Rows) -> Table:
    """Return how often each finding is stated, in images and patients.

    Findings of fewer than three patients are counted together: a radiologist's own words about one person are not for a report.
    """
    images, patients = _count_findings(rows)
    shown = frequent_findings(rows, MOST_FINDINGS)
    lines: list[tuple] = [(name, images[name], len(patients[name])) for name in shown]
    rest = [name for name in images if name not in shown]
    if rest:
        people = set().union(*(patients[name] for name in rest))
        lines.append(
            (counted(len(rest), "other finding", "other findings"), sum(images[name] for name in rest), len(people))
        )
    caption = (
        f"Findings as the sources state them, the {MOST_FINDINGS} most frequent of {FEWEST_PATIENTS} patients or more."
    )
    return Table(("finding", "images", "patients"), lines, caption, source="db/queries/cohort_images.sql")


def frequent_findings(rows: Rows, most: int) -> list[str]:
    """Return the most frequent findings, only those of three patients or more."""
    images, patients = _count_findings(rows)
    return [name for name, _ in images.most_common() if len(patients[name]) >= FEWEST_PATIENTS][:most]


def cohort_sentence(rows: Rows) -> str:
    """Say in words who the patients are: sex, age, films each. Every patient counts once, with the first film."""
    people = first_films(rows)
    sexes = Counter(row["sex"] for row in people)
    ages = [row["age_years"] for row in people if row["age_years"] is not None]
    films = Counter(row["patient_id"] for row in rows)
    several = sum(count > 1 for count in films.values())
    unknown = len(people) - sexes["F"] - sexes["M"]
    women, men = counted(sexes["F"], "woman", "women"), counted(sexes["M"], "man", "men")
    others = counted(unknown, "patient", "patients")
    sentences = [f"{women} and {men}; for {others} the sex is not stated, is stated in two ways, or is another."]
    if ages:
        low, median, high = np.percentile(ages, [25, 50, 75])
        sentences.append(
            f"Half of them are between {low:.0f} and {high:.0f} years old (median {median:.0f}; "
            f"{counted(len(people) - len(ages), 'age', 'ages')} not stated)."
        )
    many = counted(several, "patient has", "patients have")
    sentences.append(f"{many} more than one image, at most {max(films.values())}.")
    return " ".join(sentences)


def view_table(rows: Rows) -> Table:
    """Return modality against view position, in images."""
    counts = Counter((_level(row["modality"]), _level(row["view"])) for row in rows)
    modalities, views = sorted({key[0] for key in counts}), sorted({key[1] for key in counts})
    lines = [(modality, *(counts[modality, view] for view in views)) for modality in modalities]
    return Table(("modality", *views), lines, "Modality against view position (DICOM codes), in images.",
                 source="db/queries/cohort_images.sql")  # fmt: skip


def acquisition_table(rows: Rows) -> Table:
    """Return how the films of each source were taken: sizes, spacing, photometric interpretation."""
    lines = []
    for source, group in group_rows(rows, "source").items():
        sizes = np.array([(row["rows"], row["columns"]) for row in group])
        spacings = [row["row_spacing_mm"] for row in group if row["row_spacing_mm"] is not None]
        unequal = sum(
            row["row_spacing_mm"] is not None and row["row_spacing_mm"] != row["column_spacing_mm"] for row in group
        )
        inverted = Counter(_level(row["photometric"]) for row in group)
        origins = Counter(_level(row["spacing_origin"]) for row in group if row["row_spacing_mm"] is not None)
        least, most = sizes.min(axis=0), sizes.max(axis=0)
        lines.append((
            source, len(group), len({tuple(size) for size in sizes.tolist()}), f"{least[0]} to {most[0]}",
            f"{least[1]} to {most[1]}", f"{min(spacings):.3g} to {max(spacings):.3g}" if spacings else None, unequal,
            *(", ".join(f"{name} {count}" for name, count in sorted(seen.items())) for seen in (origins, inverted)),
        ))  # fmt: skip
    columns = (
        "source",
        "images",
        "sizes",
        "rows",
        "columns",
        "spacing, mm",
        "row and column spacing differ",
        "who states the spacing",
        "photometric",
    )
    caption = (
        "How the films are stored. A length at the detector is larger than the patient's, by the magnification: where spacings "
        "are stated in several planes, lengths in mm do not compare."
    )
    return Table(columns, lines, caption, source="db/queries/cohort_images.sql")


def odd_table(odd: Rows, show_ids: bool) -> Table:
    """Return impossible values, counted by kind, or film by film with identifiers where asked for."""
    if show_ids:
        columns, lines = ODD_KEYS, [tuple(row[key] for key in ODD_KEYS) for row in odd]
    else:
        counts = Counter((row["source"], row["fact"], row["why"]) for row in odd)
        lines = [(*key, count) for key, count in sorted(counts.items())]
        columns = ("source", "fact", "why", "rows")
    return Table(columns, lines, "Every row is in rows_to_look_at.csv.", source="db/queries/odd_values.sql")


def first_films(rows: Rows) -> list[dict]:
    """Return every patient's first row."""
    first: dict = {}
    for row in rows:
        first.setdefault(row["patient_id"], row)
    return list(first.values())


def check_group(by: str, show_ids: bool) -> None:
    """Refuse an unknown column, and one that identifies persons where identifiers were not asked for."""
    if by in GROUPINGS or (by in NAMING and show_ids):
        return
    why = "tells persons from each other, which needs --show-ids" if by in NAMING else "no such column"
    raise ValueError(f"--by {by}: {why}; known are {', '.join(GROUPINGS)}")


def group_rows(rows: Rows, by: str) -> dict[str, list[dict]]:
    """Group rows by a column; for `finding` a row is in the group of each of its findings, the six most frequent."""
    if by == "finding":
        frequent = frequent_findings(rows, 6)
        return {finding: [row for row in rows if finding in split_findings(row)] for finding in frequent}
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(_level(row[by]), []).append(row)
    return dict(sorted(groups.items()))


def split_findings(row: dict) -> list[str]:
    """Return the findings of an image."""
    return row["findings"].split("|") if row["findings"] else []


def count_patients(rows: Rows) -> int:
    """Return the number of persons behind some rows."""
    return len({row["patient_id"] for row in rows})


def _count_findings(rows: Rows) -> tuple[Counter, dict[str, set]]:
    """Images of each finding, and the patients behind them."""
    images, patients = Counter(), {}
    for row in rows:
        for finding in split_findings(row):
            images[finding] += 1
            patients.setdefault(finding, set()).add(row["patient_id"])
    return images, patients


def _level(value) -> str:
    return NOT_STATED if value is None else str(value)


def _age(rows: Rows) -> str:
    ages = [row["age_years"] for row in rows if row["age_years"] is not None]
    if not ages:
        return NOT_STATED
    low, median, high = np.percentile(ages, [25, 50, 75])
    return f"{median:.0f} ({low:.0f} to {high:.0f})"


def _share(count: int, images: int, few: bool) -> str:
    return str(count) if few else f"{count} ({100 * count / images:.0f} %)"


def _counts(rows: Rows, column: str) -> Counter:
    return Counter(_level(row[column]) for row in rows)
