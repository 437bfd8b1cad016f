"""Scores of an evaluation by group: means with intervals over patients, small groups flagged."""

from report.cohort import FEW, Rows, count_patients, group_rows
from report.counts import between
from report.evaluation_tables import ORDER
from report.page import Table
from unet.quality import GOOD_DICE
from unet.summary import FEWEST_FOR_5, SMALLEST_GROUP, summarise


def score_table(scores: Rows, by: str) -> Table:
    """Return the Dice of each structure by group.

    scores: rows of db/queries/scores_by_film.sql joined with those of cohort_images.sql.
    """
    lines = []
    for structure in ORDER:
        own = [row for row in scores if row["structure"] == structure]
        for name, group in (group_rows(own, by) if own else {}).items():
            summary = summarise([row["dice"] for row in group], [row["patient_id"] for row in group], GOOD_DICE)
            patients = count_patients(group)
            note = FEW if patients < SMALLEST_GROUP else None
            interval = between(summary.mean.low, summary.mean.high)
            empty = sum(row["empty"] != "none" for row in group)
            mean, p5 = summary.mean.value, summary.p5
            lines.append((structure, name, summary.films, patients, mean, interval, p5, empty, note))
    columns = ("structure", by, "films", "patients", "Dice", "95 % interval", "5th percentile", "empty masks", "note")
    caption = (
        f"Differences between groups are associations, not causes. Intervals for {SMALLEST_GROUP} patients or more, the 5th "
        f"percentile for {FEWEST_FOR_5} films or more."
    )
    return Table(columns, lines, caption, source="db/queries/scores_by_film.sql")
