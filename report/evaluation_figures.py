"""Figures of the evaluation report, drawn from the numbers of summary.json and the films' results."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from report.counts import shortened
from report.evaluation_tables import GROUPINGS, ORDER, PLACES, TITLES, largest_levels
from report.figures import BLUE, GREY, ORANGE, RED, draw_limits, new_figure
from report.film_result import FilmResult
from unet.quality import GOOD_DICE

COLOURS = {"lungs": BLUE, "right_lung": "#56B4E9", "left_lung": ORANGE, "heart": RED}
OUTLIERS = {"marker": ".", "markersize": 4, "markeredgecolor": RED}


def reliability_figure(calibration: dict) -> Figure:
    """Draw mean probability against the share inside, near the border and elsewhere, before and after the temperature."""
    present = [structure for structure in ORDER if structure in calibration]
    figure, axes = new_figure(9.0, 4.3, columns=2)
    for axis, (place, words) in zip(axes, PLACES.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
        for structure in present:
            for time, style, marker in (("before", "--", None), ("after", "-", "o")):
                points = np.array(calibration[structure][place][time]["diagram"]).reshape(-1, 3)
                label = TITLES[structure] if time == "after" else None
                axis.plot(points[:, 0], points[:, 1], style, marker=marker, markersize=3, linewidth=1.1,
                          color=COLOURS[structure], label=label)  # fmt: skip
        axis.set(title=words, xlabel="mean probability of the bin", ylabel="share of its pixels inside", aspect="equal")
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def threshold_figure(thresholds: dict) -> Figure:
    """Draw the mean Dice at every threshold, with the one in use marked."""
    figure, axis = new_figure(6.4, 3.4)
    lowest = 1.0
    for structure in (name for name in ORDER if name in thresholds):
        part = thresholds[structure]
        axis.plot(part["thresholds"], part["dice"], color=COLOURS[structure], label=TITLES[structure])
        for used in part["used"]:
            place = int(np.argmin(np.abs(np.array(part["thresholds"]) - used)))
            axis.plot(used, part["dice"][place], "o", color=COLOURS[structure], markersize=6)
        lowest = min(lowest, part["dice"][9], part["dice"][-10])
    axis.set(
        xlabel="threshold (dot: the one in use)", ylabel="mean Dice over films", ylim=(max(0.0, lowest - 0.02), 1.0)
    )
    axis.legend(frameon=False, fontsize=8)
    return figure


def group_figure(groups: Sequence[dict]) -> Figure | None:
    """Draw one structure's Dice by group, of the lungs where they are drawn; None where no grouping has two levels."""
    structure = next((name for name in ORDER if any(row["structure"] == name for row in groups)), None)
    own = [row for row in groups if row["structure"] == structure]
    panels = [(grouping, levels) for grouping in GROUPINGS if len(levels := largest_levels(own, grouping)) > 1]
    if not panels:
        return None
    heights = [len(levels) for _, levels in panels]
    figure, axes = new_figure(
        7.0, 0.34 * sum(heights) + 0.75 * len(panels) + 0.4, rows=len(panels), height_ratios=heights
    )
    for axis, (grouping, levels) in zip(np.atleast_1d(axes), panels, strict=True):
        rows = [next(row for row in own if (row["grouping"], row["level"]) == (grouping, level)) for level in levels]
        labels = [f"{shortened(row['level'], 34)} (n = {row['films']})" for row in rows]
        axis.boxplot([row["dices"] for row in rows][::-1], orientation="horizontal", tick_labels=labels[::-1], widths=0.6,
                     flierprops=OUTLIERS, medianprops={"color": BLUE})  # fmt: skip
        axis.axvline(GOOD_DICE, color=GREY, linewidth=0.8, linestyle=":")
        axis.set_title(f"by {grouping}", fontsize=9, loc="left")
        axis.tick_params(labelsize=8)
    np.atleast_1d(axes)[-1].set_xlabel(f"Dice of {TITLES[structure]} (dotted: {GOOD_DICE})")
    return figure


def quality_figure(results: Sequence[FilmResult]) -> Figure | None:
    """Draw predicted against true Dice, film by film; None where no film has both."""
    present = [s for s in ("lungs", "heart") if any(s in r.quality and s in r.dice for r in results)]
    if not present:
        return None
    figure, axes = new_figure(4.6 * len(present), 4.2, columns=len(present))
    for axis, structure in zip(np.atleast_1d(axes), present, strict=True):
        pairs = [
            (r.quality[structure], r.dice[structure]) for r in results if structure in r.quality and structure in r.dice
        ]
        for doubtful, colour, label in ((False, BLUE, "not doubtful"), (True, RED, "doubtful")):
            points = [(quality.predicted_dice, true) for quality, true in pairs if quality.doubtful == doubtful]
            if points:
                axis.plot(*zip(*points, strict=True), ".", color=colour, label=f"{label} (n = {len(points)})")
        low = min(min(quality.predicted_dice, true) for quality, true in pairs) - 0.02
        axis.plot([low, 1], [low, 1], color=GREY, linewidth=0.8, linestyle=":")
        axis.axhline(GOOD_DICE, color=GREY, linewidth=0.8)
        axis.set(title=TITLES[structure], xlabel="predicted Dice", ylabel="true Dice", xlim=(low, 1), ylim=(low, 1))
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


def ratio_figure(results: Sequence[FilmResult], agreement: dict) -> Figure:
    """Draw the error of the cardiothoracic ratio over its mean (Bland & Altman), with bias and limits of agreement."""
    pairs = np.array([(r.ratio_pred, r.ratio_true) for r in results if r.ratio_error is not None])
    figure, axis = new_figure(6.4, 3.6)
    axis.plot(pairs.mean(axis=1), pairs[:, 0] - pairs[:, 1], ".", color=BLUE)
    draw_limits(
        axis, *([agreement[name][key] for key in ("value", "low", "high")] for name in ("bias", "lower", "upper"))
    )
    for name, words in (("upper", "+1.96 SD"), ("bias", "bias"), ("lower", "-1.96 SD")):
        value = agreement[name]["value"]
        axis.annotate(
            f"{words} {value:+.3f}", (1, value), xycoords=("axes fraction", "data"), fontsize=8, ha="right", va="bottom"
        )
    axis.set(xlabel="mean of predicted and true cardiothoracic ratio", ylabel="predicted minus true")
    return figure
