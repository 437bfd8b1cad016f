"""How measurements and scores differ between groups of patients. Associations in one sample: they say nothing about causes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from report.agreement import interval
from report.cohort import Rows, count_patients, frequent_findings, split_findings
from report.figures import BLUE, Chart, new_figure
from report.page import Table
from unet.association import Coefficient, DependentColumns, benjamini_hochberg, compare_groups, linear_model
from unet.summary import DRAWS, SMALLEST_GROUP, gap

OLD = 60  # years
PIXEL_UNITS = ("px", "px2")  # films are stored at different sizes, so pixels do not compare persons
NEITHER = -1
MOST_FINDINGS = 5
COMPARED = (
    "cardiothoracic_ratio", "heart_width", "thorax_width", "right_lung_height", "right_lung_area", "left_lung_area",
    "lung_area_ratio", "mediastinal_width", "right_costophrenic_angle", "left_costophrenic_angle",
)  # fmt: skip
"""The measurements in which groups are compared: only a few, because every further comparison weakens all of them."""
QUERY = "db/queries/measurement_values.sql"


class Contrast(NamedTuple):
    """Two groups of films that are compared; sides: per film 1, 0, or NEITHER."""

    title: str
    sides: np.ndarray


def contrasts(rows: Rows) -> list[Contrast]:
    """Return the comparisons that a set of films allows: men/women, AP/PA, old/young, with/without each frequent finding.

    The latter among films of which any finding is stated, in the sources that ever state this one: films of another hospital
    would differ by much more than the finding. A source's word for nothing found is a finding too.
    """
    ages = np.array([np.nan if row["age_years"] is None else row["age_years"] for row in rows])
    lists = [split_findings(row) for row in rows]
    found = [
        Contrast("men - women", _sides(rows, "sex", "M", "F")),
        Contrast("AP - PA", _sides(rows, "view", "AP", "PA")),
        Contrast(f"{OLD} years and older - younger", np.where(np.isnan(ages), NEITHER, ages >= OLD)),
    ]
    of_findings: list[Contrast] = []
    for finding in frequent_findings(rows, MOST_FINDINGS):
        stating = {row["source"] for row, own in zip(rows, lists, strict=True) if finding in own}
        compared = np.array([row["findings"] is not None and row["source"] in stating for row in rows])
        has = np.array([finding in own for own in lists])
        sides = np.where(compared, has, NEITHER)
        mirrored = np.where(compared, ~has, NEITHER)
        # of two findings that never are together every film has one: with the one is without the other
        if not any(np.array_equal(earlier.sides, own) for earlier in of_findings for own in (sides, mirrored)):
            of_findings.append(Contrast(f"{finding} - only other findings, same sources", sides))
    return found + of_findings


def _sides(rows: Rows, column: str, one: str, other: str) -> np.ndarray:
    return np.array([{one: 1, other: 0}.get(row[column], NEITHER) for row in rows])


class Measured(NamedTuple):
    """One measurement as one measurer took it; values: rows of measurement_values.sql."""

    name: str
    unit: str
    taken_by: str
    values: Rows


def relation_table(measurements: Sequence[Measured]) -> Table | None:
    """Compare groups in each measurement, one value per patient; None where no comparison has enough patients.

    measurements: each by one measurer; those in pixels are left out. A patient with films in both groups counts in that of the
    first film.
    """
    tests = []
    compared = [one for one in measurements if one.unit not in PIXEL_UNITS]
    few = [one for one in compared if {one.name, one.name.removesuffix(f"_{one.unit}")} & {*COMPARED}]
    for name, unit, _, rows in few or compared:
        patients, values = patient_numbers(rows), np.array([row["value"] for row in rows])
        for contrast in contrasts(rows):
            a, b = per_patient(patients, values, contrast.sides)
            if min(len(a), len(b)) >= SMALLEST_GROUP:
                tests.append((name, unit, contrast.title, compare_groups(a, b)))
    if not tests:
        return None
    corrected = benjamini_hochberg([test[-1].p for test in tests])
    lines = [
        (name, unit, title, t.n_a, t.n_b, interval(t.difference), interval(t.effect), t.p, float(q))
        for (name, unit, title, t), q in zip(tests, corrected, strict=True)
    ]
    lines.sort(key=lambda line: line[-1])
    columns = ("measurement", "unit", "groups", "patients", "and", "difference [95 %]", "Hedges' g [95 %]", "p", "q")
    tested = {test[0] for test in tests}
    who = _who_measured([one for one in measurements if one.name in tested])
    caption = (
        f"Measurements taken by {who}. Means of patients, groups of {SMALLEST_GROUP} patients or more. "
        f"p by {DRAWS:,} regroupings; q is p corrected for the {len(tests)} comparisons (Benjamini-Hochberg). Associations: "
        "groups may differ in other ways too."
    )
    return Table(columns, lines, caption, source=QUERY)


def _who_measured(measurements: Sequence[Measured]) -> str:
    """Name who took measurements; of several each with what it took."""
    names: dict[str, list[str]] = {}
    for one in measurements:
        names.setdefault(one.taken_by, []).append(one.name)
    return "; ".join(f"{who} ({', '.join(own)})" if len(names) > 1 else who for who, own in names.items())


def patient_numbers(rows: Rows) -> np.ndarray:
    """Number the patients in the order of their first rows: one number a row."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(row["patient_id"], len(numbers)) for row in rows], np.int64)


def per_patient(patients: np.ndarray, values: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the patients' mean values in side 1 and in side 0.

    A patient in both counts in the side of the first film, with the films of that side only.
    """
    kept = sides != NEITHER
    patients, values, sides = patients[kept], values[kept], sides[kept]
    first = np.full(patients.max(initial=-1) + 1, NEITHER)
    first[patients[::-1]] = sides[::-1]  # the last to be written is the first film
    own = sides == first[patients]
    films = np.bincount(patients[own], minlength=len(first))
    sums = np.bincount(patients[own], weights=values[own], minlength=len(first))
    return tuple(sums[first == side] / films[first == side] for side in (1, 0))


TWO_LEVELS = (("man, not woman", "sex", "M", "F"), ("AP, not PA", "view", "AP", "PA"))
"""Covariates of the model: title, column, the level that counts as 1, the other one."""
# patients; of 10 against 300 the clustered intervals call 9 % of nothing significant at 0.05, of 30 against 300 5 %
LEAST_AT_LEVEL = 30


def model_table(rows: Rows, taken_by: str) -> Table | None:
    """Return a linear model of the cardiothoracic ratio on age, sex, view and source; None where too little is known.

    Covariates with fewer than LEAST_AT_LEVEL patients at a level are left out, counted on the films where all that stay are
    known. Sources with as many patients have a term each beside the largest one, and the films of the others are left out;
    there is none where fewer than two have, or where the sources are split as the other facts are. Intervals allow for several
    films of a patient.
    """
    aged, asked = [row for row in rows if row["age_years"] is not None], list(TWO_LEVELS)
    while True:
        known = [row for row in aged if all(row[column] in levels for _, column, *levels in asked)]
        sources = _common_sources(known)
        kept = [row for row in known if row["source"] in sources] if len(sources) > 1 else known
        rare = [covariate for covariate in asked if _rarer_level(kept, *covariate[1:]) < LEAST_AT_LEVEL]
        if not rare:
            break
        asked.remove(min(rare, key=lambda covariate: _rarer_level(aged, *covariate[1:])))
    columns = {"age, per 10 years": [row["age_years"] / 10 for row in kept]}
    columns |= {title: [float(row[column] == one) for row in kept] for title, column, one, _ in asked}
    of_sources = {f"{name}, not {sources[0]}": [float(row["source"] == name) for row in kept] for name in sources[1:]}
    if count_patients(kept) < SMALLEST_GROUP * (1 + len(columns) + len(of_sources)):
        return None
    fit = _fitted(kept, columns | of_sources) or _fitted(kept, columns)
    if fit is None:  # everybody of one age, or sex and view the same split
        return None
    caption = (
        f"Ratios taken by {taken_by}. Least squares over {len(kept)} films of {count_patients(kept)} patients; intervals by "
        "patient. Each line says how the ratio differs with that fact while the other lines' facts are the same; it does not "
        "say that the fact is the cause."
    )
    if len(kept) < len(known):
        caption += f" Films of sources with fewer than {LEAST_AT_LEVEL} patients are left out."
    if len({row["source"] for row in kept}) > 1 and len(fit) == 1 + len(columns):
        caption += (
            " Its films are of several sources, which it does not tell apart: a difference may be one between them."
        )
    lines = [(c.name, interval(c.estimate), c.p) for c in fit]
    return Table(("fact", "cardiothoracic ratio [95 %]", "p"), lines, caption, source=QUERY)


def _fitted(rows: Rows, columns: dict[str, list[float]]) -> list[Coefficient] | None:
    """Return the model of the rows' values on the columns; None where these do not vary, or not each by itself."""
    try:
        return linear_model([row["value"] for row in rows], columns, [row["patient_id"] for row in rows])
    except DependentColumns:
        return None


def _common_sources(rows: Rows) -> list[str]:
    """Return the sources with at least LEAST_AT_LEVEL patients, that of most patients first."""
    patients: dict[str, set[str]] = {}
    for row in rows:
        patients.setdefault(row["source"], set()).add(row["patient_id"])
    common = [name for name, own in patients.items() if len(own) >= LEAST_AT_LEVEL]
    return sorted(common, key=lambda name: (-len(patients[name]), name))


def _rarer_level(rows: Rows, column: str, *levels: str) -> int:
    """Return the patients at the rarer of two levels of a column."""
    return min(len({row["patient_id"] for row in rows if row[column] == level}) for level in levels)


def ratio_by_group_figure(rows: Rows, name: str, unit: str) -> Chart | None:
    """Draw a measurement by sex, view and age group, one box per group with its n of patients; None for no two large ones."""
    groups = {}
    patients, values = patient_numbers(rows), np.array([row["value"] for row in rows])
    names = (("men", "women"), ("AP", "PA"), (f"{OLD}+", f"<{OLD}"))
    for pair, contrast in zip(names, contrasts(rows), strict=False):
        sides = per_patient(patients, values, contrast.sides)
        if min(map(len, sides)) >= SMALLEST_GROUP:
            groups |= {f"{label}\nn = {len(side)}": side for label, side in zip(pair, sides, strict=True)}
    if not groups:
        return None
    figure, axis = new_figure(1.6 + 0.95 * len(groups), 3.4)
    box = axis.boxplot(list(groups.values()), tick_labels=list(groups), widths=0.55, patch_artist=True, sym=".")
    for patch in box["boxes"]:
        patch.set(facecolor=BLUE, alpha=0.35)
    for line in box["medians"]:
        line.set(color="black")
    axis.set(ylabel=name.replace("_", " ") + ("" if unit == "ratio" else f", {unit}"))
    lines = [(label.split("\n")[0], value) for label, own in groups.items() for value in own.tolist()]
    return Chart(figure, ("group", name), lines)


def gap_table(scores: Rows) -> Table | None:
    """Return how the Dice differs between groups, with intervals over patients; None where no group is large enough.

    scores: rows of db/queries/scores_by_film.sql joined with those of cohort_images.sql.
    """
    lines = []
    for structure in ("lungs", "heart"):
        own = [row for row in scores if row["structure"] == structure]
        for contrast in contrasts(own):
            sides = [
                [row for row, own_side in zip(own, contrast.sides, strict=True) if own_side == side] for side in (1, 0)
            ]
            if min(count_patients(side) for side in sides) < SMALLEST_GROUP:
                continue
            values = [part for side in sides for part in ([r["dice"] for r in side], [r["patient_id"] for r in side])]
            difference = gap(*values)
            lines.append((structure, contrast.title, len(sides[0]), len(sides[1]), interval(difference)))
    if not lines:
        return None
    caption = (
        f"Differences of mean Dice, groups of {SMALLEST_GROUP} patients or more, intervals resample patients. Not corrected "
        "for their number."
    )
    columns = ("structure", "groups", "films", "and", "Dice difference [95 %]")
    return Table(columns, lines, caption, source="db/queries/scores_by_film.sql")
