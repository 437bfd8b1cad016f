"""Predicted measurements against those of the reference masks and against the source's own values."""

import math
from collections.abc import Sequence

import numpy as np

from report.cohort import Rows, count_patients
from report.counts import counted
from report.figures import BLUE, Chart, draw_limits, new_figure
from report.page import Table
from unet.agreement import agree_above, bland_altman, icc_2_1
from unet.summary import SMALLEST_GROUP, Interval

ENLARGED = 0.5  # cardiothoracic ratio above which a heart is called enlarged on a PA film (Danzer 1919)
FEWEST = 3  # films; fewer give no intraclass correlation
SCALED = (
    "ratio",
    "mm",
    "px",
    "mm2",
    "px2",
)  # units with a true zero, for which a coefficient of variation has a meaning
SIGNED = "dome_level_difference"  # in mm too, but negative where the left dome is higher
SHOWN = ("cardiothoracic_ratio", "heart_width", "thorax_width")
REFERENCES = (("reference", "the reference masks"), ("stated", "the values the source states"))
QUERY = "db/queries/measurement_pairs.sql"


def paired(pairs: Rows, name: str, against: str) -> list[dict]:
    """Return the films on which a measurement is known on both sides. against: 'reference' or 'stated'."""
    return [row for row in pairs if row["name"] == name and row[against] is not None]


def agreement_table(pairs: Rows, against: str, words: str) -> Table | None:
    """Return bias, limits, MAE, CV and ICC of every measurement; None where no measurement has enough films on both sides."""
    lines = []
    for name, unit in sorted({(row["name"], row["unit"]) for row in pairs}):
        own = paired(pairs, name, against)
        if len(own) < FEWEST:
            continue
        a, b = [row["predicted"] for row in own], [row[against] for row in own]
        result = bland_altman(a, b, [row["patient_id"] for row in own])
        patients = count_patients(own)
        icc = _of_many(icc_2_1(a, b), patients)
        bias, lower, upper, icc = map(interval, (result.bias, result.lower, result.upper, icc))
        cv = result.cv if unit in SCALED and min(b) > 0 and not name.startswith(SIGNED) else None
        lines.append((name, result.n, patients, bias, lower, upper, result.mae, cv, icc))
    if not lines:
        return None
    columns = (
        "measurement", "films", "patients", "bias [95 %]", "lower limit [95 %]", "upper limit [95 %]", "MAE", "CV",
        "ICC(2,1) [95 %]",
    )  # fmt: skip
    caption = (
        f"Predicted minus {words}, in the unit that the name ends in. Normally distributed differences would lie 95 times in 100 "
        f"between the limits. Intervals, for {SMALLEST_GROUP} patients or more, resample patients; that of the ICC takes films "
        "as independent. CV only for lengths, areas and ratios."
    )
    if against == "stated":
        caption += " Stated values that cannot be, such as a share above 100 %, are left out."
    return Table(columns, lines, caption, source=QUERY)


def enlarged_sentence(pairs: Rows, against: str, words: str) -> str | None:
    """Say how the two agree on which hearts are enlarged, and what causes the ratio's error; None for too few pairs."""
    own = paired(pairs, "cardiothoracic_ratio", against)
    if len(own) < FEWEST:
        return None
    found = agree_above([row["predicted"] for row in own], [row[against] for row in own], ENLARGED)
    kappa, sensitivity, specificity = (
        interval(_of_many(value, count_patients(own))) for value in (found.kappa, found.sensitivity, found.specificity)
    )
    text = (
        f"A cardiothoracic ratio above {ENLARGED} by {words} on {found.both + found.only_b} of {len(own)} films: "
        f"{found.both} of them found, {counted(found.only_a, 'other', 'others')} called so. Cohen's kappa "
        f"{kappa}, sensitivity {sensitivity}, specificity {specificity}."
    )
    if count_patients(own) < len(own):
        text += f" Their intervals take films as independent: too narrow for {len(own)} films of {count_patients(own)} patients."
    share = heart_share(pairs, against)
    if share is None:
        return text
    heart, thorax, part = share
    return text + (
        f" The heart's width is off by {100 * heart:.1f} % on average, the thorax's by {100 * thorax:.1f} %; the heart makes up "
        f"{100 * part:.0f} % of the variance of the ratio's relative error."
    )


def _of_many(value: Interval, patients: int) -> Interval:
    """Return a value without its bounds where it comes from fewer than 10 patients, as bootstrap intervals have none there."""
    return value if patients >= SMALLEST_GROUP else Interval(value.value, math.nan, math.nan)


def heart_share(pairs: Rows, against: str) -> tuple[float, float, float] | None:
    """Return mean relative errors of heart width and thorax width, and the heart's share in the variance of the ratio's error.

    log(ratio) errs by e = log(heart error) - log(thorax error); the share is cov(heart, e) / var(e), so both parts' shares add
    up to 1. None where fewer than three films have both widths or nothing varies.
    """
    errors = {}
    for part in ("heart_width", "thorax_width"):
        errors[part] = {
            row["image_id"]: np.log(row["predicted"] / row[against])
            for unit in ("mm", "px")
            for row in paired(pairs, f"{part}_{unit}", against)
            if row["predicted"] > 0 and row[against] > 0
        }
    films = sorted(errors["heart_width"].keys() & errors["thorax_width"].keys())
    if len(films) < FEWEST:
        return None
    heart, thorax = (np.array([errors[part][film] for film in films]) for part in ("heart_width", "thorax_width"))
    whole = heart - thorax
    variance = float(whole.var())
    if variance == 0:
        return None
    relative = [float(np.mean(np.abs(np.expm1(part)))) for part in (heart, thorax)]
    return relative[0], relative[1], float(np.mean((heart - heart.mean()) * (whole - whole.mean()))) / variance


def agreement_figure(pairs: Rows, against: str) -> Chart | None:
    """Draw differences against means with the limits of agreement, for the ratio and the two widths; None without pairs."""
    panels = []
    for part in SHOWN:
        names = [part] if part.endswith("ratio") else [f"{part}_mm", f"{part}_px"]
        panels += [(name, own) for name in names if len(own := paired(pairs, name, against)) >= FEWEST][:1]
    if not panels:
        return None
    figure, axes = new_figure(3.4 * len(panels), 3.2, columns=len(panels))
    lines = []
    for axis, (name, own) in zip(np.atleast_1d(axes), panels, strict=True):
        a, b = np.array([row["predicted"] for row in own]), np.array([row[against] for row in own])
        result = bland_altman(a, b, [row["patient_id"] for row in own])
        axis.plot((a + b) / 2, a - b, "o", color=BLUE, markersize=3, alpha=0.6)
        draw_limits(axis, result.bias, result.lower, result.upper)
        axis.set_title(f"{name.replace('_', ' ')}\nn = {len(own)} films", fontsize=9)
        axis.set(xlabel=f"mean, {own[0]['unit']}", ylabel=f"predicted - {against}, {own[0]['unit']}")
        lines += [(name, row["predicted"], row[against]) for row in own]
    return Chart(figure, ("measurement", "predicted", against), lines)


def interval(value: Interval) -> str:
    """Write a value with its interval, decimals by the largest: three up to 1, two below 10, one below 1,000; a dash for NaN."""
    if value.value != value.value:
        return "–"
    largest = max(abs(part) for part in value if part == part)
    digits = 3 if largest <= 1 else 2 if largest < 10 else 1 if largest < 1000 else 0
    if value.low != value.low:
        return f"{value.value:.{digits}f}"
    return f"{value.value:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"


def spread_sentence(pairs: Sequence[dict]) -> str | None:
    """Compare the spread over repeated predictions with the actual error; None for too few films with a spread."""
    own = [row for row in paired(pairs, "cardiothoracic_ratio", "reference") if row["spread"] is not None]
    if len(own) < FEWEST:
        return None
    spread = np.array([row["spread"] for row in own])
    error = np.abs([row["predicted"] - row["reference"] for row in own])
    within = float(np.mean(error <= 2 * spread))
    return (
        f"Over repeated predictions of one film the cardiothoracic ratio spreads by {np.median(spread):.4f} (median standard "
        f"deviation, {len(own)} films); the actual error is within two of them on {100 * within:.0f} % of the films. Where that "
        "is far below 95 %, the spread is no measure of the error."
    )
