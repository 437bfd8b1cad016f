"""What is not stated, and whether that depends on what is stated: gaps that depend on the patient bias every count."""

import numpy as np

from report.cohort import FACTS, Rows, first_films, group_rows
from report.counts import counted
from report.page import Table
from unet.association import benjamini_hochberg, compare_groups, independence_p
from unet.summary import SMALLEST_GROUP

KNOWN = (
    ("sex", "sex"),
    ("age_years", "age"),
    ("view", "view position"),
    ("modality", "modality"),
    ("source", "source"),
)
RARE = 0.01  # share of patients; a fact missing, or stated, more rarely does not show who lacks it


def missing_table(rows: Rows) -> Table:
    """Return, for each fact, how many images do not state it."""
    lines = []
    for column, title in FACTS:
        missing = sum(row[column] is None for row in rows)
        lines.append((title, missing, 100 * missing / len(rows)))
    return Table(
        ("fact", "not stated", "share, %"),
        lines,
        f"Of {counted(len(rows), 'image', 'images')}.",
        source="db/queries/cohort_images.sql",
    )


def missing_shares(rows: Rows) -> tuple[list[str], list[str], np.ndarray]:
    """Return titles of the facts, names of the sources, and the share (facts, sources) of images without the fact."""
    groups = group_rows(rows, "source")
    titles = [title for _, title in FACTS]
    shares = [[np.mean([row[column] is None for row in group]) for group in groups.values()] for column, _ in FACTS]
    return titles, [f"{name} ({len(group)})" for name, group in groups.items()], np.array(shares, np.float64)


def dependence_table(rows: Rows) -> Table | None:
    """Return whether gaps are associated with sex, age, view, modality or source; None where nothing can be compared.

    Every patient counts once, with the first film, where the second fact is stated. For age: Hedges' g of those without the
    fact against those with it, p by permutation; for the others Cramer's V and Pearson's chi-squared. q: corrected for the
    number of lines.
    """
    people = first_films(rows)
    tests = []
    for column, title in FACTS:
        gone = np.array([row[column] is None for row in people])
        if not RARE <= gone.mean() <= 1 - RARE or min(gone.sum(), (~gone).sum()) < SMALLEST_GROUP:
            continue
        for known, words in KNOWN:
            found = None if known == column else _test(people, gone, known)
            if found is not None:
                tests.append((title, words, *found))
    if not tests:
        return None
    corrected = benjamini_hochberg([test[-1] for test in tests])
    lines = [(*test, float(q)) for test, q in zip(tests, corrected, strict=True)]
    lines.sort(key=lambda line: line[-1])
    caption = (
        f"Of {len(people)} patients, each with the first film; each line counts those whose second fact is stated. A small q "
        "says that those without the fact are other patients than those with it; it does not say why."
    )
    columns = ("not stated", "goes along with", "patients without it", "measure", "size", "p", "q")
    return Table(columns, lines, caption, source="db/queries/cohort_images.sql")


def _test(people: Rows, gone: np.ndarray, known: str) -> tuple[int, str, float, float] | None:
    stated = np.array([row[known] is not None for row in people])
    gone, values = gone[stated], np.array([row[known] for row in people if row[known] is not None])
    if min(gone.sum(), (~gone).sum()) < SMALLEST_GROUP:
        return None
    if known == "age_years":
        result = compare_groups(values[gone], values[~gone])
        return int(gone.sum()), "Hedges' g", result.effect.value, result.p
    names, index = np.unique(values, return_inverse=True)
    if len(names) < 2:
        return None
    table = np.stack([np.bincount(index[gone], minlength=len(names)), np.bincount(index[~gone], minlength=len(names))])
    return (int(gone.sum()), "Cramer's V", *independence_p(table))
