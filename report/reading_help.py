"""What the first table of an evaluation says, in words."""

from report.cohort import SMALLEST_GROUP
from report.counts import counted, films_of_patients
from report.evaluation_tables import ORDER, TITLES
from report.scores import FEWEST_FOR_5
from unet.quality import GOOD_DICE


def reading_help(summary: dict) -> str:
    """A sentence a reader of the table needs."""
    lungs = summary["structures"].get("lungs")
    fewest = min((part["dice"]["patients"] for part in summary["structures"].values()), default=SMALLEST_GROUP)
    few = "" if fewest >= SMALLEST_GROUP else " So few patients say little of others: such intervals are too narrow."
    if lungs is None:
        return f"No film of this selection has both lungs drawn.{few}"
    dice = lungs["dice"]
    worst = f"the worst has {dice['least']:.3f}"
    if dice["films"] >= FEWEST_FOR_5:
        worst = f"on the worst twentieth of the films it is below {dice['p5']:.3f}"
    return (
        f"On {films_of_patients(dice['films'], dice['patients'])} the lungs' masks overlap the reference with a mean Dice of "
        f"{dice['mean']:.3f} (1 is perfect); {worst}, and {100 * dice['below']:.1f} % of the films are below {GOOD_DICE}. "
        f"{_empty_masks(summary)}{few}"
    )


def _empty_masks(summary: dict) -> str:
    parts = {name: summary["structures"][name]["dice"] for name in ORDER if name in summary["structures"]}
    empty = [f"{TITLES[name]} on {counted(p['empty'], 'film', 'films')}" for name, p in parts.items() if p["empty"]]
    return f"Predicted or drawn empty: {', '.join(empty)}." if empty else "No mask is empty."
