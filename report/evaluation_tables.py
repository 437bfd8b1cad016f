"""Tables of the evaluation report, from the numbers of summary.json."""

from collections.abc import Iterator, Sequence

from report.cohort import NOT_STATED
from report.counts import between, counted, shortened
from report.film_result import FilmResult
from report.page import Table
from unet.quality import GOOD_DICE
from unet.summary import DRAWS
from unet.surface import NSD_TOLERANCES

TITLES = {"lungs": "both lungs", "right_lung": "right lung", "left_lung": "left lung", "heart": "heart"}
ORDER = ("lungs", "right_lung", "left_lung", "heart")
GROUPINGS = ("sex", "age", "view", "source", "finding")
LEVELS, LEAST_FILMS = 12, 3  # shown are a grouping's largest levels with 3 films or more; all are in summary.json
FEW_ON_ONE_SIDE = "few patients here or among the others: do not compare"
LONGEST = 60  # characters of a level's name
UNITS = {
    "mm": "millimetres, films with known spacing",
    "px": "pixels of the film, where no spacing is known",
}
PLACES = {"near": "near the border", "far": "elsewhere"}


def summary_tables(summary: dict) -> Iterator[Table]:
    """One row per structure: overlap with intervals, then distances, each with the number of empty masks beside its means."""
    parts = [(TITLES[name], summary["structures"][name]) for name in ORDER if name in summary["structures"]]
    columns = ("structure", "films", "empty masks", "Dice", "95 % interval", "median", "5th percentile",
               f"below {GOOD_DICE}", "IoU", "precision", "recall", "area error")  # fmt: skip
    rows = []
    for title, part in parts:
        dice = part["dice"]
        others = [_mean(part.get(name)) for name in ("iou", "precision", "recall", "relative_area_error")]
        rows.append((title, dice["films"], dice["empty"], dice["mean"], between(dice["low"], dice["high"]), dice["median"],
                     dice["p5"], percent(dice["below"]), *others))  # fmt: skip
    yield Table(columns, rows, f"Overlap. Means over films; intervals resample patients ({DRAWS:,} draws).")
    for unit, words in UNITS.items():
        steps = NSD_TOLERANCES[unit]
        rows = [(title, *_distances(part, unit, steps)) for title, part in parts if f"hd_{unit}" in part]
        columns = ("structure", "films", "empty masks", f"HD95 {unit}", "95 % interval", "median", f"ASSD {unit}",
                   "95 % interval", "median", f"HD {unit}", *(f"NSD {step} {unit}" for step in steps))  # fmt: skip
        if rows:
            yield Table(
                columns,
                rows,
                f"Distances of the borders in {words}. An empty mask counts as the film's diagonal. NSD with a tolerance "
                "below the size of a film's pixels asks for borders on the very same pixels.",
            )


def group_tables(groups: Sequence[dict]) -> Iterator[Table]:
    """One table per grouping that has two levels or more: n, interval, gap to the other groups together."""
    columns = ("group", "structure", "films", "patients", "Dice", "95 % interval", "worst", f"below {GOOD_DICE}",
               "gap to the others", "95 % interval of the gap")  # fmt: skip
    for grouping in GROUPINGS:
        shown = largest_levels(groups, grouping)
        rows = [
            (_level(row), TITLES[row["structure"]], row["films"], row["patients"], row["mean"], between(row["low"], row["high"]),
             row["worst"], percent(row["below"]), _signed(row["gap"]), between(row["gap_low"], row["gap_high"], "+.4f"))
            for row in sorted(groups, key=lambda row: ORDER.index(row["structure"]))
            if row["grouping"] == grouping and row["level"] in shown
        ]  # fmt: skip
        if len(shown) > 1:
            yield Table(columns, rows, _group_caption(groups, grouping), source="db/queries/scores_by_group.sql")


def _level(row: dict) -> str:
    return shortened(row["level"], LONGEST) + (f" ({FEW_ON_ONE_SIDE})" if row["few"] else "")


def _group_caption(groups: Sequence[dict], grouping: str) -> str:
    levels = {row["level"] for row in groups if row["grouping"] == grouping}
    hidden = len(levels) - len(largest_levels(groups, grouping))
    words = [f"Dice by {grouping}."]
    if hidden:
        words.append(f"{counted(hidden, 'small group is', 'small groups are')} in summary.json only.")
    if grouping != "finding" and (empty := sum(row["empty"] for row in groups if row["grouping"] == grouping)):
        words.append(f"{counted(empty, 'mask is', 'masks are')} empty, in the reference or the prediction.")
    return " ".join(words)


def largest_levels(groups: Sequence[dict], grouping: str) -> list[str]:
    """Return the levels of a grouping with most films, in the order of the rows; none if 'not stated' is the only level."""
    films: dict[str, int] = {}
    for row in groups:
        if row["grouping"] == grouping:
            films[row["level"]] = max(films.get(row["level"], 0), row["films"])
    shown = sorted((level for level in films if films[level] >= LEAST_FILMS), key=lambda level: -films[level])[:LEVELS]
    return [level for level in films if level in shown] if set(films) - {NOT_STATED} else []


def calibration_table(calibration: dict) -> Table:
    """ECE, MCE, Brier and NLL near the border and elsewhere, before and after the temperature."""
    rows = [
        (TITLES[structure], PLACES[place], time, part["pixels"], part["ece"], part["mce"], part["brier"], part["nll"])
        for structure in ORDER
        for place in PLACES
        for time in ("before", "after")
        if (part := calibration.get(structure, {}).get(place, {}).get(time))
    ]
    columns = ("structure", "pixels", "temperature", "number", "ECE", "MCE", "Brier", "NLL")
    caption = "Probabilities at the network's size; near: within 1/64 of its side of the true border, on both sides."
    return Table(columns, rows, caption)


def threshold_table(thresholds: dict) -> Table:
    """The threshold used, what the validation films said, and what it does here."""
    rows = []
    for structure in ORDER:
        part = thresholds.get(structure)
        if part is None:
            continue
        point = part["on_validation"][0] if len(part["on_validation"]) == 1 else None
        at = dict(zip((round(t, 2) for t in part["thresholds"]), part["dice"], strict=True))
        used = ", ".join(f"{value:.2f}" for value in part["used"]) or "of its lungs"
        here = at[round(part["used"][0], 2)] if len(part["used"]) == 1 else None
        good = f"{point['lowest']:.2f} to {point['highest']:.2f}" if point else None
        gain = point["dice"] - point["dice_at_half"] if point else None
        best = max(at, key=at.get)
        rows.append((TITLES[structure], used, good, _signed(gain), part["films"], here, at[0.5], best, at[best]))
    columns = ("structure", "threshold used", "as good on validation", "gain over 0.5 there", "films here", "Dice here",
               "at 0.5", "best here", "Dice there")  # fmt: skip
    return Table(columns, rows, "Untidied masks at the network's size. The last two columns chose nothing.")


def quality_table(quality: dict) -> Table:
    """How well the predicted quality held where there is truth."""
    rows = [
        (TITLES[structure], part["films"], part["doubtful"], part.get("judged", 0), part.get("correlation"),
         part.get("rank_correlation"), part.get("mean_absolute_error"), part.get("bias"), _share_of(part, "caught", "below"),
         _share_of(part, "false_alarms", "good"), _share_of(part, "caught_at_5_percent", "below"))
        for structure in ORDER if (part := quality.get(structure))
    ]  # fmt: skip
    columns = ("structure", "films", "doubtful", "with a reference", "correlation with Dice", "rank correlation",
               "mean absolute error", "predicted − true", f"doubtful of those below {GOOD_DICE}", "of the others",
               f"below {GOOD_DICE} that 5 % false alarms would catch")  # fmt: skip
    caption = "Right of 'with a reference': predicted against true Dice. The prediction was fitted on validation films."
    return Table(columns, rows, caption)


def _share_of(part: dict, name: str, whole: str) -> str | None:
    """Write a share as 'k of n': of a few films a percentage says little."""
    if part.get(name) is None:
        return None
    count = part["judged"] - part["below"] if whole == "good" else part["below"]
    return f"{round(part[name] * count)} of {count}"


def film_table(ranked: Sequence[FilmResult], embedded: set[int]) -> Table:
    """One row per film, worst first; the first cell leads to its overlay."""
    present = [s for s in ORDER if any(s in result.dice for result in ranked)]
    predicted = [s for s in ("lungs", "heart") if any(s in result.quality for result in ranked)]
    units = [u for u in ("mm", "px") if any(f"hd95_{u}" in row for result in ranked for row in result.scores)]
    ratios = [
        (words, name)
        for words, name in (("reference", "ratio_true"), ("predicted", "ratio_pred"))
        if any(getattr(result, name) is not None for result in ranked)
    ]
    columns = ("film", "source", *(f"Dice {TITLES[s]}" for s in present), *(f"HD95 lungs {unit}" for unit in units),
               *(f"predicted Dice {TITLES[s]}" for s in predicted), "doubtful",
               *(f"cardiothoracic ratio, {words}" for words, _ in ratios))  # fmt: skip
    rows, links = [], []
    for result in ranked:
        lungs = next((row for row in result.scores if row["structure"] == "lungs"), {})
        doubtful = ", ".join(TITLES[s] for s in ORDER if s in result.quality and result.quality[s].doubtful)
        rows.append((result.record.file, result.record.source, *(result.dice.get(s) for s in present),
                     *(lungs.get(f"hd95_{unit}") for unit in units),
                     *(result.quality[s].predicted_dice if s in result.quality else None for s in predicted), doubtful,
                     *(getattr(result, name) for _, name in ratios)))  # fmt: skip
        links.append(anchor(result) if result.record.image_id in embedded else None)
    return Table(columns, rows, "Worst first; click a column's head to sort by it.", links)


def confident_table(confident: Sequence[tuple[FilmResult, str]], found: int) -> Table:
    """The films and structures that failed without a warning, each leading to its overlay; found: how many there are in all."""
    rows = [
        (
            result.record.file,
            TITLES[name],
            result.dice[name],
            result.quality[name].predicted_dice,
            result.overrated(name),
        )
        for result, name in confident
    ]
    columns = ("film", "structure", "Dice", "predicted Dice", "promised too much")
    caption = f"Below Dice {GOOD_DICE}, and the predicted quality did not warn."
    if found > len(rows):
        caption += f" {len(rows)} of {found} are shown, of each structure the one of the least Dice among them."
    return Table(columns, rows, caption, [anchor(result) for result, _ in confident])


def ratio_table(films: Sequence[FilmResult]) -> Table:
    """The films with the largest errors of the cardiothoracic ratio, each leading to its overlay."""
    rows = [
        (
            result.record.file,
            result.ratio_true,
            result.ratio_pred,
            _signed(result.ratio_error),
            result.dice.get("heart"),
        )
        for result in films
    ]
    columns = ("film", "reference", "predicted", "error", "Dice heart")
    return Table(columns, rows, "Largest errors of the cardiothoracic ratio.", [anchor(result) for result in films])


def anchor(result: FilmResult) -> str:
    """Return the name under which a film's overlay is found on the page."""
    return f"film-{result.record.image_id}"


def percent(share: float | None) -> str | None:
    """Write a share as per cent."""
    return None if share is None else f"{100 * share:.1f} %"


def _distances(part: dict, unit: str, steps: Sequence[int]) -> Iterator:
    yield from (part[f"hd_{unit}"]["films"], part[f"hd_{unit}"]["empty"])
    for name in (f"hd95_{unit}", f"assd_{unit}"):
        yield from (
            f"{part[name]['mean']:.2f}",
            between(part[name]["low"], part[name]["high"], ".2f"),
            f"{part[name]['median']:.2f}",
        )
    yield f"{part[f'hd_{unit}']['mean']:.2f}"
    yield from (part[f"nsd_{step}{unit}"]["mean"] for step in steps)


def _signed(value: float | None) -> str | None:
    return None if value is None or value != value else f"{value:+.4f}"


def _mean(part: dict | None) -> float | None:
    return part["mean"] if part else None
