"""The report of `predict.py`: what was done, what to look at first, every film, and what failed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from data.reasons import as_utf8
from report.counts import counted
from report.known_errors import RATIO_ERROR, UNCHECKED, UNJUDGED, UNJUDGED_LUNGS
from report.page import Gallery, Heading, Page, Picture, Table, Text

GALLERY = 60  # pictures; each is embedded in the page
LISTED = 2000  # rows; browsers are slow to open a page with more
COLUMNS = ("film", "reasons to doubt the masks", "lungs Dice expected", "cardiothoracic ratio", "remarks")


def prediction_page(
    counts: Mapping[str, int], rows: Sequence[dict], failures: Sequence[tuple[str, str]], overlays: Path
) -> Page:
    """Compose the page.

    counts: films, review, failed. rows: films as `db.predictions.read_predictions` gives them, doubtful ones first, LISTED
    at most. overlays: the folder of the overlays, <name>.jpg.
    """
    page = Page("Lungs and heart on films without reference")
    page.add(*(Text(sentence) for sentence in _sentences(counts, any(map(_not_found, rows)))))
    names = _names([row["file"] for row in rows], [as_utf8(row["name"]) for row in rows])
    pictures = list(_pictures(rows[:GALLERY], names, overlays))
    shown = {picture.name for picture in pictures}
    links = [f"film-{number}" if f"film-{number}" in shown else None for number in range(len(rows))]
    lines = [(called, *_row(row)) for called, row in zip(names, rows, strict=True)]
    page.add(Heading("Every film"), Table(COLUMNS, lines, _caption(counts, rows), links))
    if failures:
        page.add(Heading("Failed"), Table(("file", "why"), failures[:LISTED], "All of them: failures.csv."))
    page.add(Heading("Overlays"), Text("Blue: right lung, yellow: left lung, orange: heart; contours of the masks."))
    page.add(Gallery(pictures))
    return page


def _sentences(counts: Mapping[str, int], unchecked: bool) -> Iterator[str]:
    if unchecked:
        yield (
            "This network learnt from too few films, or was chosen by too few, to tell pictures of anything else, or poor masks: "
            "what it cannot tell (see the remarks) is not called for review. Look at every overlay."
        )
    yield (
        f"{counted(counts['films'], 'film has', 'films have')} masks, {counted(counts['review'], 'is', 'are')} to be looked at; "
        f"{counts['failed']} failed. "
        "Nobody has checked these masks: a film that is not listed for review may be wrong too."
    )
    yield "Nothing here looks for disease: that no reason for doubt was found says something of the masks alone."
    yield "For research use; not a medical device."


def _caption(counts: Mapping[str, int], rows: Sequence[dict]) -> str:
    left_out = f" The first {len(rows)}; all are in predictions.csv." if len(rows) < counts["films"] else ""
    unjudged = any(UNJUDGED in row["remarks"] for row in rows)
    errors = "This network's hearts and ratios have not been judged" if unjudged else RATIO_ERROR
    return (
        f"Doubtful films first; the Dice of the lungs is what the network expects, nobody measured it.{left_out} "
        f"{errors}; a question mark: the masks are to be looked at first. Hearts look larger on AP films. "
        "Measurements with their units are in predictions.csv and predictions.sqlite."
    )


def _names(files: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return what the page calls each film: its path below the folder that holds all of them, and what its masks are called."""
    if not files:
        return []
    root = os.path.commonpath([os.path.dirname(file) for file in files])
    shown = [os.path.relpath(file, root) for file in files]
    return [
        path if name == Path(path).stem else f"{path} (masks: {name})" for path, name in zip(shown, names, strict=True)
    ]


def _not_found(row: dict) -> str:
    """Return what stands where a network could not look for reasons to doubt; empty where it could."""
    return "not checked" if UNCHECKED in row["remarks"] or UNJUDGED_LUNGS in row["remarks"] else ""


def _row(row: dict) -> tuple:
    strange = (row["strangeness"] or 0) > 1  # what is measured on such masks is not worth showing
    ratio = None if strange else row.get("cardiothoracic_ratio")
    if ratio is not None:
        doubtful = row["review"] or UNJUDGED in row["remarks"]
        ratio = f"{ratio:.2f}{' ?' if doubtful else ''}"  # its third decimal is chance
    return row["review"] or _not_found(row) or "none found", row["predicted_dice"], ratio, row["remarks"]


def _pictures(rows: Sequence[dict], names: Sequence[str], overlays: Path) -> Iterator[Picture]:
    for number, (called, row) in enumerate(zip(names, rows, strict=False)):
        path = overlays / f"{row['name']}.jpg"
        if not path.is_file():  # of an earlier call, and removed since
            continue
        caption = f"{called}: {row['review'] or _not_found(row) or 'no reason to doubt the masks found'}"
        yield Picture(f"film-{number}", path.read_bytes(), caption, "jpg")
