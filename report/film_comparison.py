"""What `predict.py --compare` leaves: a table, a side-by-side picture, a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data.overlay import encode_picture, overlay
from data.panels import side_by_side, tint
from data.writing import atomic_file
from report.known_errors import RATIO_CHANGE
from report.page import Heading, Page, Picture, Table, Text, write_page
from report.run_folder import write_csv

COLUMNS = (
    "quantity",
    "unit",
    "before",
    "before_spread",
    "after",
    "after_spread",
    "change",
    "change_low",
    "change_high",
    "errors_of_two_films",
    "review",
)
PAGE_COLUMNS = ("quantity", "unit", "before", "after", "change")  # of the page, which has no room for more
RATIO_CHANGES = (
    f"A cardiothoracic ratio that changes by less than {RATIO_CHANGE} may not have changed: the errors of two films lie that far "
    "apart or less in 95 of 100 pairs (recommended training, hospitals it knew: docs/results.md), and farther where masks are "
    "doubtful."
)
NOT_JUDGED = (
    "How far the errors of two films lie apart is not told: it is known for good masks of a network whose hearts were judged; "
    "here masks are to be looked at first, or hearts were not judged."
)
CONTOURS = (
    "Blue, yellow and orange contours: right lung, left lung and heart. Right: inside the lungs of both, orange where the "
    "second film is brighter, blue where it is darker, once both lungs together have the same median and quartiles on both: a "
    "change of both lungs alike is not seen here, and beside a part that has become much brighter an unchanged one is blue."
)
FULL_COLOUR = 0.5  # difference of grey levels that is shown in full colour


def comparison_picture(
    before: np.ndarray,
    after: np.ndarray,
    masks: Mapping[str, np.ndarray],
    moved: Mapping[str, np.ndarray],
    change: np.ndarray,
) -> np.ndarray:
    """Return an RGB picture: the first film, the second laid over it, and where inside the lungs it is brighter or darker.

    before, after: (h, w) in [0, 1] in one frame; masks, moved: their structures, bool (h, w); change: by how much the second is
    brighter, 0 outside of the lungs.
    """
    longest = max(before.shape)
    panels = {
        "before": overlay(before, masks, longest_side=longest),
        "after, laid over": overlay(after, moved, longest_side=longest),
        "relative: orange brighter, blue darker": tint(before, change, FULL_COLOUR),
    }
    return side_by_side(panels)


def write_comparison(
    out: Path,
    picture: np.ndarray,
    changes: Sequence[Sequence],
    doubts: Sequence[str],
    similarity: Sequence[str],
    names: tuple[str, str],
    judged: bool,
) -> Path:
    """Write comparison.csv, comparison.png and report.html and return the path of the page.

    changes: rows of COLUMNS. doubts, similarity: sentences on what to look at first, and on the picture. judged: the known errors
    of ratios hold for these two films.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "comparison.csv", COLUMNS, changes)
    data = encode_picture(picture)
    with atomic_file(out / "comparison.png") as file:
        file.write(data)
    page = Page("Two films compared")
    page.add(*(Text(sentence) for sentence in doubts))
    caption = (
        f"{RATIO_CHANGES if judged else NOT_JUDGED} "
        "Behind ±: the spread, a standard deviation over five slightly turned and zoomed copies; in brackets: the change by 1.96 "
        "times both films' spreads together. It says how firm the network is, not whether it is "
        "right. None of this allows for breathing or posture. A question mark: masks of a film are to be looked at "
        "first. All digits are in comparison.csv."
    )
    page.add(Heading("What changed"), Table(PAGE_COLUMNS, [_shown(row) for row in changes], caption))
    page.add(Heading("The films laid over each other"), *(Text(sentence) for sentence in similarity))
    page.add(Picture("comparison", data, f"Left: {names[0]}; middle: {names[1]}, laid over it. {CONTOURS}"))
    page.add(Text("For research use; not a medical device."))
    return write_page(page, out)


def _shown(row: Sequence) -> tuple[str, ...]:
    """Return a row of COLUMNS as PAGE_COLUMNS, in words."""
    own = dict(zip(COLUMNS, row, strict=True))
    sides = []
    for side in ("before", "after"):
        spread = own[f"{side}_spread"]
        sides.append(f"{own[side]:.4g}" + ("" if spread is None else f" ± {spread:.2g}"))
    low, high = own["change_low"], own["change_high"]
    change = f"{own['change']:+.4g}" + ("" if low is None else f" ({low:+.4g} to {high:+.4g})")
    return own["quantity"].replace("_", " "), own["unit"], *sides, change + (" ?" if own["review"] else "")
