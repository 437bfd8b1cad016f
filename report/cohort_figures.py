"""Figures of the cohort, each with its numbers: flow, ages, views, findings, gaps, visits."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from report.cohort import NOT_STATED, Rows, first_films, frequent_findings, split_findings
from report.counts import shortened
from report.figures import BLUE, GREY, ORANGE, Chart, new_figure
from report.gaps import missing_shares

BAND = 10  # years
OLDEST = 110
SHOWN_FINDINGS = 8


def flow_figure(flow: Sequence[dict]) -> Chart:
    """Draw the flow from all rows to the films used: one bar per condition, with what it removes."""
    first = flow[0]["remaining"] + flow[0]["removed"]
    labels = ["rows in the sources", *(f"- {row['label']}" for row in flow)]
    left = [first, *(row["remaining"] for row in flow)]
    removed = [0, *(row["removed"] for row in flow)]
    figure, axis = new_figure(8.0, 0.42 * len(labels) + 0.9)
    places = np.arange(len(labels))[::-1]
    axis.barh(places, left, color=BLUE, height=0.6)
    axis.barh(places, removed, left=left, color=ORANGE, height=0.6)
    for place, rest, gone in zip(places, left, removed, strict=True):
        words = f"{rest}" + (f"  ({gone} removed)" if gone else "")
        axis.text(rest + gone + 0.01 * first, place, words, va="center", fontsize=9)
    axis.set_yticks(places, labels)
    axis.set(xlabel="images", xlim=(0, 1.25 * max(first, 1)))
    axis.grid(visible=False)
    return Chart(figure, ("condition", "removed", "remaining"), list(zip(labels, removed, left, strict=True)))


def age_figure(rows: Rows) -> Chart | None:
    """Draw the age pyramid: women to the left, men to the right, patients of other or unstated sex outside the men.

    Every patient counts once, at the first film. None where no age below OLDEST is stated.
    """
    people = [row for row in first_films(rows) if row["age_years"] is not None and row["age_years"] < OLDEST]
    if not people:
        return None
    edges = np.arange(0, OLDEST + BAND, BAND)
    ages = {"F": [], "M": [], None: []}
    for row in people:
        ages[row["sex"] if row["sex"] in ages else None].append(row["age_years"])
    women, men, others = (np.histogram(ages[sex], edges)[0] for sex in ("F", "M", None))
    figure, axis = new_figure(6.4, 3.8)
    bars = ((-women, 0, ORANGE, "women"), (men, 0, BLUE, "men"), (others, men, GREY, "other or not stated"))
    for counts, start, colour, name in bars:
        label = f"{name} (n = {abs(counts).sum()})"
        axis.barh(edges[:-1] + BAND / 2, counts, height=0.86 * BAND, left=start, color=colour, label=label)
    most = max(*women, *(men + others))
    axis.set(xlim=(-1.1 * most, 1.1 * most), xlabel="patients")
    axis.set(ylabel="age at the first film, years", ylim=(0, OLDEST))
    axis.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axis.axvline(0, color="black", linewidth=0.6)
    axis.legend(frameon=False, loc="upper right", fontsize=8)
    columns = ("age_from", "age_below", "women", "men", "other_or_not_stated")
    lines = np.stack([edges[:-1], edges[1:], women, men, others], axis=1).tolist()
    return Chart(figure, columns, [tuple(line) for line in lines])


def view_figure(rows: Rows) -> Chart:
    """Draw how many images of each modality and view there are."""
    counts = Counter(f"{row['modality'] or NOT_STATED}, {row['view'] or NOT_STATED}" for row in rows)
    items = counts.most_common(15)[::-1]
    figure, axis = new_figure(7.0, 0.32 * len(items) + 0.9)
    axis.barh([shortened(name, 48) for name, _ in items], [count for _, count in items], color=BLUE, height=0.65)
    for place, (_, count) in enumerate(items):
        axis.text(count, place, f" {count}", va="center", fontsize=9)
    axis.set(xlabel="images")
    axis.grid(visible=False)
    return Chart(figure, ("modality_and_view", "images"), counts.most_common())


def finding_figure(rows: Rows) -> Chart | None:
    """Draw which findings are stated together: images with both; on the diagonal all images with the finding.

    None where no finding is frequent enough to be shown.
    """
    lists = [split_findings(row) for row in rows]
    names = frequent_findings(rows, SHOWN_FINDINGS)
    if not names:
        return None
    place = {name: index for index, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), int)
    for found in lists:
        known = [place[name] for name in found if name in place]
        for one in known:
            for other in known:
                table[one, other] += 1
    lines = [(a, b, int(table[place[a], place[b]])) for a in names for b in names]
    return Chart(_grid(table, names, names, "d", f"images, of {len(rows)}"), ("finding", "and", "images"), lines)


def missing_figure(rows: Rows) -> Chart:
    """Draw the share of images that do not state each fact, source by source."""
    titles, sources, shares = missing_shares(rows)
    figure = _grid(100 * shares, titles, sources, ".0f", "not stated, % of the source's images")
    lines = [(title, source, float(shares[i, j])) for i, title in enumerate(titles) for j, source in enumerate(sources)]
    return Chart(figure, ("fact", "source", "share_not_stated"), lines)


def visit_figure(studies: Sequence[int], days: Sequence[float]) -> Chart:
    """Draw how many studies the patients have, and how many days lie between one and the next."""
    figure, (left, right) = new_figure(8.5, 3.0, columns=2)
    counts = Counter(min(count, 10) for count in studies)
    left.bar(range(1, 11), [counts[k] for k in range(1, 11)], color=BLUE)
    left.set(xlabel="studies (10: ten or more)", ylabel=f"patients, of {len(studies)}", xticks=range(1, 11))
    bins = [0, 1, 2, 4, 8, 15, 31, 91, 366, 1e9]
    labels = ["<1", "1", "2-3", "4-7", "8-14", "15-30", "31-90", "91-365", ">365"]
    between = np.histogram(days, bins)[0]
    right.set_visible(bool(days))
    right.bar(range(len(labels)), between, color=BLUE)
    right.set_xticks(range(len(labels)), labels, rotation=45, fontsize=8)
    right.set(xlabel="days to the next study", ylabel=f"pairs of studies, of {len(days)}")
    lines = [("studies of a patient", str(k), counts[k]) for k in range(1, 11)]
    lines += [("days to the next study", label, int(n)) for label, n in zip(labels, between, strict=True)]
    return Chart(figure, ("what", "value", "count"), lines)


def _grid(values: np.ndarray, rows: Sequence[str], columns: Sequence[str], form: str, label: str):
    """A table of numbers as a heat map with each number in its cell."""
    figure, axis = new_figure(2.6 + 0.62 * len(columns), 1.5 + 0.3 * len(rows))
    if values.size:
        image = axis.imshow(values, cmap="Blues", vmin=0, vmax=max(float(values.max()), 1e-9), aspect="auto")
        figure.colorbar(image, ax=axis, label=label)
    for i, line in enumerate(values):
        for j, value in enumerate(line):
            dark = value > 0.6 * values.max()
            axis.text(
                j, i, format(value, form), ha="center", va="center", fontsize=8, color="white" if dark else "black"
            )
    axis.set_xticks(range(len(columns)), [shortened(name, 22) for name in columns], rotation=35, ha="right", fontsize=8)
    axis.set_yticks(range(len(rows)), [shortened(name, 34) for name in rows], fontsize=8)
    axis.grid(visible=False)
    return figure
