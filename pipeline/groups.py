"""Scores by group: counted and averaged by SQL over the stored scores, with intervals and gaps that resample patients."""

import json
import math
import sqlite3

import numpy as np

from db.selection import query_text, run_query
from report.cohort import NOT_STATED
from unet.summary import SMALLEST_GROUP, UNDEFINED, Interval, bootstrap_mean, gap

QUERY = "scores_by_group"


def score_groups(connection: sqlite3.Connection, run_id: int) -> list[dict]:
    """Return the rows of db/queries/scores_by_group.sql, each with its interval and its gap to the other groups together.

    gap: mean of the group minus mean of the films of the same grouping that are not in it and whose level is stated; of a
    finding, only of the sources that ever state it, since films of another hospital would differ by much more. It is NaN for
    'not stated' and where there is no other film. low, high: NaN where the group has fewer than 10 patients; gap_low, gap_high:
    also where the others have; few: that one of these is so. dices: the values, for a figure.
    """
    rows = [dict(row) for row in run_query(connection, query_text(QUERY), {"run_id": run_id})]
    for row in rows:
        for name in ("dices", "patients_of", "images"):
            row[name] = json.loads(row[name])
        row["low"], row["high"] = bootstrap_mean(np.array(row["dices"]), row["patients_of"])[1:]
    sources = {image: row["level"] for row in rows if row["grouping"] == "source" for image in row["images"]}
    for row in rows:
        others = _others(row, rows, sources)
        row["gap"], row["gap_low"], row["gap_high"] = _gap(row, others)
        is_unsure = not math.isnan(row["gap"]) and math.isnan(row["gap_low"])
        row["few"] = row["patients"] < SMALLEST_GROUP or is_unsure
    return rows


def _others(row: dict, rows: list[dict], sources: dict[int, str]) -> dict[int, tuple[float, str]]:
    """Return image_id to Dice and patient of the films that the row's group is compared with: same grouping and structure."""
    own = set(row["images"])
    stating = {sources[image] for image in own}
    return {
        image: (dice, patient)
        for other in rows
        if (other["grouping"], other["structure"]) == (row["grouping"], row["structure"])
        and other["level"] != NOT_STATED
        for image, dice, patient in zip(other["images"], other["dices"], other["patients_of"], strict=True)
        if image not in own and (row["grouping"] != "finding" or sources[image] in stating)
    }


def _gap(row: dict, others: dict[int, tuple[float, str]]) -> Interval:
    if row["level"] == NOT_STATED or not others:
        return UNDEFINED
    dices, patients = zip(*others.values(), strict=True)
    return gap(row["dices"], row["patients_of"], dices, patients)
