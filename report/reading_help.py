"""What the first table of an evaluation says, in words."""

from collections.abc import Iterable

from report.counts import counted, films_of_patients
from report.evaluation_tables import ORDER, TITLES, UNITS
from unet.quality import GOOD_DICE
from unet.summary import FEWEST_FOR_5, SMALLEST_GROUP

MANY = 100  # patients; of 40 the interval holds the mean 90 times in 100


def reading_help(summary: dict) -> str:
    """Return the sentences that a reader of the table needs."""
    lungs = summary["structures"].get("lungs")
    if lungs is None:
        return f"No film of this selection has both lungs drawn. {few_patients(summary)}".rstrip()
    dice = lungs["dice"]
    worst = f"the worst has {dice['least']:.3f}"
    if dice["films"] >= FEWEST_FOR_5:
        worst = f"on the worst twentieth of the films it is below {dice['p5']:.3f}"
    bad = f"{round(dice['below'] * dice['films'])} of {dice['films']} are below {GOOD_DICE}"
    return (
        f"On {films_of_patients(dice['films'], dice['patients'])} the lungs' masks overlap the reference with a mean Dice of "
        f"{dice['mean']:.3f} (1 is perfect); {worst}, and {bad}. "
        f"{_empty_masks(summary)} {few_patients(summary)} {_flattering(dice)}".rstrip()
    )


def few_patients(summary: dict, units: Iterable[str] = tuple(UNITS)) -> str:
    """Say where there are too few patients for an interval, of a structure or of distances in one of units; else nothing."""
    parts = {TITLES[name]: summary["structures"][name] for name in ORDER if name in summary["structures"]}
    few = [title for title, part in parts.items() if part["dice"]["patients"] < SMALLEST_GROUP]
    others = [part for title, part in parts.items() if title not in few]
    metrics = {unit: [part[f"hd_{unit}"] for part in others if f"hd_{unit}" in part] for unit in units}
    few += [f"distances in {unit}" for unit, own in metrics.items() if any(m["patients"] < SMALLEST_GROUP for m in own)]
    if not few:
        return ""
    return f"Values of fewer than {SMALLEST_GROUP} patients ({', '.join(few)}) have no interval: so few say little of others."


def _flattering(dice: dict) -> str:
    """Say of a mean with an interval that comes from few patients in which way it errs."""
    if not SMALLEST_GROUP <= dice["patients"] < MANY:
        return ""
    return (
        "Of so few patients the interval of a mean Dice lies too high more often than 5 times in 100 (docs/metrics.md)."
    )


def _empty_masks(summary: dict) -> str:
    parts = {name: summary["structures"][name]["dice"] for name in ORDER if name in summary["structures"]}
    empty = [f"{TITLES[name]} on {counted(p['empty'], 'film', 'films')}" for name, p in parts.items() if p["empty"]]
    return f"Predicted or drawn empty: {', '.join(empty)}." if empty else "No mask is empty."
