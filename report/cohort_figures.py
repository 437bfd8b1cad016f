"""Figures of the cohort: flow, ages, views, findings, gaps, measurements."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from report.cohort import NOT_STATED, Rows, missing_counts, split_findings
from report.figures import BLUE, GREY, ORANGE, RED, new_figure

SEX_NAMES = (("F", "women", ORANGE), ("M", "men", BLUE), (None, NOT_STATED, GREY))


def flow_figure(flow: Sequence[dict]) -> Figure:
    """Draw from all rows down to the films used: one bar a condition, with what it removes."""
    first = flow[0]["remaining"] + flow[0]["removed"]
    labels = ["rows in the sources", *(f"- {row['label']}" for row in flow)]
    left = [first, *(row["remaining"] for row in flow)]
    removed = [0, *(row["removed"] for row in flow)]
    figure, axis = new_figure(8.0, 0.42 * len(labels) + 0.9)
    places = np.arange(len(labels))[::-1]
    axis.barh(places, left, color=BLUE, height=0.6)
    axis.barh(places, removed, left=left, color=ORANGE, height=0.6)
    for place, rest, gone in zip(places, left, removed, strict=True):
        axis.text(
            rest + gone + 0.01 * first,
            place,
            f"{rest}" + (f"  ({gone} removed)" if gone else ""),
            va="center",
            fontsize=9,
        )
    axis.set_yticks(places, labels)
    axis.set(xlabel="images", xlim=(0, 1.25 * max(first, 1)))
    axis.grid(visible=False)
    return figure


def age_figure(rows: Rows) -> Figure:
    """Draw the ages of patients, once each, by sex."""
    figure, axis = new_figure()
    seen, ages = set(), {sex: [] for sex, _, _ in SEX_NAMES}
    for row in rows:
        if row["patient_id"] not in seen and row["age_years"] is not None and 0 < row["age_years"] <= 110:
            seen.add(row["patient_id"])
            ages[row["sex"] if row["sex"] in ("F", "M") else None].append(row["age_years"])
    series = [(ages[sex], f"{name} (n = {len(ages[sex])})", colour) for sex, name, colour in SEX_NAMES if ages[sex]]
    if series:
        axis.hist(
            [s[0] for s in series],
            bins=range(0, 111, 10),
            stacked=True,
            label=[s[1] for s in series],
            color=[s[2] for s in series],
        )
        axis.legend(frameon=False)
    axis.set(xlabel="age at the first film, years", ylabel="patients")
    return figure


def counts_figure(counts: Counter, xlabel: str) -> Figure:
    """Draw counts as horizontal bars, the most frequent on top."""
    items = counts.most_common(15)[::-1]
    figure, axis = new_figure(7.0, 0.32 * len(items) + 0.9)
    axis.barh([str(name)[:48] for name, _ in items], [count for _, count in items], color=BLUE, height=0.65)
    for place, (_, count) in enumerate(items):
        axis.text(count, place, f" {count}", va="center", fontsize=9)
    axis.set(xlabel=xlabel)
    axis.grid(visible=False)
    return figure


def view_figure(rows: Rows) -> Figure:
    """Draw how many images of each modality and view there are."""
    return counts_figure(
        Counter(f"{row['modality'] or NOT_STATED}, {row['view'] or NOT_STATED}" for row in rows), "images"
    )


def finding_figure(rows: Rows) -> Figure:
    """Draw how many images state each finding."""
    return counts_figure(Counter(finding for row in rows for finding in split_findings(row)), "images")


def missing_figure(rows: Rows) -> Figure:
    """Draw the share of images that do not state each fact."""
    counts = sorted(missing_counts(rows), key=lambda item: item[2])
    figure, axis = new_figure(7.0, 0.32 * len(counts) + 0.9)
    axis.barh(
        [title for _, title, _ in counts],
        [100 * missing / len(rows) for _, _, missing in counts],
        color=RED,
        height=0.65,
    )
    axis.set(xlabel=f"not stated, % of {len(rows)} images", xlim=(0, 100))
    axis.grid(visible=False)
    return figure


def measurement_figure(values: Rows) -> Figure | None:
    """Draw the distribution of the four most frequent measurements, with unit and n; None where there are none."""
    names = [
        name for name, _ in Counter((row["name"], row["unit"], row["measured_by"]) for row in values).most_common(4)
    ]
    if not names:
        return None
    figure, axes = new_figure(9.0, 2.6, columns=len(names))
    for axis, (name, unit, by) in zip(np.atleast_1d(axes), names, strict=True):
        numbers = [row["value"] for row in values if (row["name"], row["unit"], row["measured_by"]) == (name, unit, by)]
        axis.hist(numbers, bins=20, color=BLUE)
        axis.set_title(f"{name.replace('_', ' ')}\nn = {len(numbers)}, by {by}", fontsize=8)
        axis.set_xlabel(unit)
    return figure
