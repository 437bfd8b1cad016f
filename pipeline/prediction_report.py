"""What covers all films of a call of `predict.py` together: other formats, failures.csv, the page, the lines at the end."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.reasons import as_utf8, one_line
from db.predictions import Done, count_predictions, films_done, names_given, read_predictions
from pipeline.formats import FORMATS, WRITTEN_AS
from report.counts import counted
from report.page import write_page
from report.prediction import LISTED, prediction_page
from report.run_folder import write_csv


def write_report(
    out: Path,
    formats: Sequence[str],
    films: Sequence[Path],
    new: int,
    earlier: Mapping[str, Done],
    failures: list[tuple[str, str]],
    connection: sqlite3.Connection,
    run_id: int,
) -> list[str]:
    """Write it, and return the lines that say what was done.

    films: those of this call; new: how many of them it has predicted. earlier: by file, what was done before it. failures:
    those without a result, and why; those that a format asked for lacks are added.
    """
    lines = [
        f"{out / written} lacks what this call has drawn anew; --format {name} brings it up to date"
        for name, written in WRITTEN_AS.items()
        if name not in formats and (out / written).exists()
    ]
    for name in formats:
        written = FORMATS[name](out, read_predictions(connection, run_id))
        lines += written.notes
        failures += written.failed
    write_csv(out / "failures.csv", ("file", "why"), failures)
    counts = {**count_predictions(connection, run_id), "failed": len(failures)}
    rows = list(read_predictions(connection, run_id, LISTED))
    path = write_page(prediction_page(counts, rows, failures, out / "overlays"), out)
    own = films_done(connection, run_id)
    respaced = sum(
        own[file].input_sha256 == before.input_sha256 and before.spacing_mm not in (None, own[file].spacing_mm)
        for file, before in earlier.items()
        if file in own
    )
    if respaced:
        lines.append(
            f"{counted(respaced, 'film was', 'films were')} done anew, masks too: the pixel spacing is another than before"
        )
    others = len(own.keys() - set(map(as_utf8, films)))
    by_others = f", {others} of them by earlier calls on other films" if others else ""
    done = f"{counted(counts['films'], 'film', 'films')} done ({counts['review']} to review), {new} now{by_others}"
    lines.append(f"{done}, {len(failures)} failed. Report: {path}")
    # by name, as their masks lie there
    more = len({*names_given(connection, out).values()} - {film.name for film in own.values()})
    if more:
        lines.append(
            f"Of {counted(more, 'more film', 'more films')} {out} holds masks of another network or of other settings: "
            "they stand in no table of this call"
        )
    return lines + [f"failed: {one_line(file)}: {why}" for file, why in failures]
