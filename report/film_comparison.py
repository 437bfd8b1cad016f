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
)
RATIO_CHANGES = (
    f"A cardiothoracic ratio that changes by less than {RATIO_CHANGE} may not have changed: the errors of two films lie that far "
    "apart or less in 95 of 100 pairs (recommended training, hospitals it knew: docs/results.md), and farther where masks are "
    "doubtful."
)
CONTOURS = (
    "Blue, yellow and orange contours: right lung, left lung and heart. Right: inside the lungs of both, orange where the "
    "second film is brighter, blue where it is darker."
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
        "orange brighter, blue darker": tint(before, change, FULL_COLOUR),
    }
    return side_by_side(panels)


def write_comparison(
    out: Path,
    picture: np.ndarray,
    changes: Sequence[Sequence],
    doubts: Sequence[str],
    similarity: Sequence[str],
    names: tuple[str, str],
) -> Path:
    """Write comparison.csv, comparison.png and report.html and return the path of the page.

    changes: rows of COLUMNS. doubts, similarity: sentences on what to look at first, and on the picture.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "comparison.csv", COLUMNS, changes)
    data = encode_picture(picture)
    with atomic_file(out / "comparison.png") as file:
        file.write(data)
    page = Page("Two films compared")
    page.add(*(Text(sentence) for sentence in doubts))
    caption = (
        f"{RATIO_CHANGES} change_low to change_high is the change by 1.96 times both films' spreads together, a spread being the "
        "standard deviation over five slightly turned and zoomed copies: it says how firm the network is, not whether it is "
        "right. None of this allows for breathing or posture."
    )
    page.add(Heading("What changed"), Table(COLUMNS, changes, caption))
    page.add(Heading("The films laid over each other"), *(Text(sentence) for sentence in similarity))
    page.add(Picture("comparison", data, f"Left: {names[0]}; middle: {names[1]}, laid over it. {CONTOURS}"))
    page.add(Text("For research use; not a medical device."))
    return write_page(page, out)
