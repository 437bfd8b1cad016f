"""The evaluation report: tables of means with intervals, worst, median and best films, every film in a sortable list."""

from collections.abc import Sequence
from dataclasses import dataclass

from data.measurements import Measurement
from db.records import ImageRecord
from report.page import Gallery, Heading, Page, Picture, Table, Text

GOOD_DICE = 0.9
EMBEDDED_PICTURES = 120  # of more films only the worst, median and best are shown
SHOWN = 6
TITLES = {"lungs": "both lungs", "right_lung": "right lung", "left_lung": "left lung", "heart": "heart"}
ORDER = ("lungs", "right_lung", "left_lung", "heart")
DISTANCE_COLUMNS = ("hd95", "assd")


@dataclass(frozen=True)
class FilmResult:
    """What came of one film: its score rows (one per structure), its overlay (JPEG bytes), what its masks measure.

    measured, measured_true: of the predicted and of the reference masks (docs/measurements.md).
    """

    record: ImageRecord
    scores: list[dict]
    picture: bytes
    measured: tuple[Measurement, ...] = ()
    measured_true: tuple[Measurement, ...] = ()

    @property
    def rank(self) -> float:
        """What films are ordered by: Dice of both lungs, or of what there is."""
        by_structure = {row["structure"]: row["dice"] for row in self.scores}
        return by_structure.get("lungs", min(by_structure.values(), default=0.0))


def evaluation_page(
    title: str, facts: Sequence[str], summary: dict, results: Sequence[FilmResult], failures: Sequence
) -> Page:
    """Compose the page. facts: sentences on what was scored. summary: see `pipeline.evaluation.summarise_results`."""
    page = Page(title)
    page.add(*(Text(fact) for fact in facts))
    page.add(Heading("How well the masks agree"), summary_table(summary), Text(reading_help(summary)))
    if len(summary["by_source"]) > 1:
        page.add(source_table(summary))
    ranked = sorted(results, key=lambda result: result.rank)
    shown = pick_pictures(ranked)
    page.add(Heading("Worst, median and best films"), Text(COLOURS), Gallery([_picture(result) for result in shown]))
    embedded = {result.record.image_id for result in shown}
    if len(results) <= EMBEDDED_PICTURES:
        rest = [result for result in ranked if result.record.image_id not in embedded]
        embedded |= {result.record.image_id for result in rest}
    else:
        rest = []
    page.add(Heading("Every film"), film_table(ranked, embedded))
    if failures:
        rows = [(record.file, reason) for record, reason in failures]
        page.add(Heading("Films that could not be read"), Table(("file", "why"), rows))
    if rest:
        page.add(Heading("All other overlays"), Gallery([_picture(result) for result in rest]))
    return page


COLOURS = (
    "White: the reference contour. Blue, yellow and orange: predicted right lung, left lung and heart. Tinted red-orange: "
    "missed; tinted blue: predicted where nothing was drawn. The patient's right side is on the left of the picture."
)


def summary_table(summary: dict) -> Table:
    """One row per structure: means with 95 % intervals, median, 5th percentile, share below 0.9, distances with their unit."""
    columns = ("structure", "films", "Dice", "95 % interval", "median", "5th percentile", f"below {GOOD_DICE}", "IoU",
               "HD95 mm", "ASSD mm", "HD95 px", "ASSD px", "empty masks")  # fmt: skip
    rows = []
    for structure in ORDER:
        part = summary["structures"].get(structure)
        if part is None:
            continue
        dice = part["dice"]
        distances = [_mean(part.get(f"{name}_{unit}")) for unit in ("mm", "px") for name in DISTANCE_COLUMNS]
        empty = sum(count for kind, count in part["empty"].items() if kind != "none")
        rows.append((TITLES[structure], dice["films"], dice["mean"], f"{dice['low']:.4f} to {dice['high']:.4f}", dice["median"],
                     dice["p5"], f"{100 * dice['below']:.1f} %", _mean(part["iou"]), *distances, empty))  # fmt: skip
    return Table(columns, rows, "Means over films; intervals resample patients (2,000 draws).")


def source_table(summary: dict) -> Table:
    """Dice of each structure by source."""
    rows = []
    for source, structures in summary["by_source"].items():
        for structure in ORDER:
            if structure in structures:
                part = structures[structure]
                interval = f"{part['low']:.4f} to {part['high']:.4f}"
                rows.append(
                    (source, TITLES[structure], part["films"], part["mean"], interval, part["p5"], part["worst"])
                )
    columns = ("source", "structure", "films", "Dice", "95 % interval", "5th percentile", "worst")
    return Table(columns, rows, "Dice by source.")


def film_table(ranked: Sequence[FilmResult], embedded: set[int]) -> Table:
    """One row per film, worst first; the first cell leads to its overlay."""
    present = [s for s in ORDER if any(row["structure"] == s for result in ranked for row in result.scores)]
    columns = ("film", "source", *(f"Dice {TITLES[s]}" for s in present), "HD95 lungs mm", "HD95 lungs px")
    rows, links = [], []
    for result in ranked:
        by_structure = {row["structure"]: row for row in result.scores}
        lungs = by_structure.get("lungs", {})
        dice = [by_structure[s]["dice"] if s in by_structure else None for s in present]
        rows.append((result.record.file, result.record.source, *dice, lungs.get("hd95_mm"), lungs.get("hd95_px")))
        links.append(_anchor(result) if result.record.image_id in embedded else None)
    return Table(columns, rows, "Worst first; click a column's head to sort by it.", links)


def pick_pictures(ranked: Sequence[FilmResult]) -> list[FilmResult]:
    """The worst, the middle and the best films of a list ordered from worst to best, each once."""
    middle = max(0, len(ranked) // 2 - SHOWN // 4)
    chosen = [*ranked[:SHOWN], *ranked[middle : middle + SHOWN // 2], *ranked[-SHOWN // 2 :]]
    return list({result.record.image_id: result for result in chosen}.values())


def reading_help(summary: dict) -> str:
    """A sentence a reader of the table needs."""
    lungs = summary["structures"].get("lungs")
    if lungs is None:
        return "No film of this selection has both lungs drawn."
    dice = lungs["dice"]
    return (
        f"On {dice['films']} films of {summary['patients']} patients the lungs' masks overlap the reference with a mean Dice of "
        f"{dice['mean']:.3f} (1 is perfect); on the worst twentieth of the films it is below {dice['p5']:.3f}, and "
        f"{100 * dice['below']:.1f} % of the films are below {GOOD_DICE}."
    )


def _mean(part: dict | None) -> float | None:
    return part["mean"] if part else None


def _anchor(result: FilmResult) -> str:
    return f"film-{result.record.image_id}"


def _picture(result: FilmResult) -> Picture:
    dice = ", ".join(
        f"{TITLES[row['structure']]} {row['dice']:.3f}"
        for structure in ORDER
        for row in result.scores
        if row["structure"] == structure
    )
    return Picture(_anchor(result), result.picture, f"{result.record.file}: Dice {dice}", "jpg")
