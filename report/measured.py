"""The clinical measurements themselves: a table row and a histogram for each, by who took them."""

from collections.abc import Sequence

import numpy as np

from report.cohort import Rows, count_patients
from report.figures import BLUE, Chart, new_figure
from report.page import Table

Measured = Sequence[tuple[dict, Rows]]  # a row of measurement_names.sql, and its rows of measurement_values.sql
SHOWN = 6
FIRST = ("cardiothoracic_ratio", "heart_width", "thorax_width")


def measurement_table(measured: Measured) -> Table:
    """Return the clinical measurements: number, median and quartiles, smallest and largest, by who took them."""
    lines = []
    for key, rows in measured:
        numbers = np.array([row["value"] for row in rows])
        low, median, high = np.percentile(numbers, [25, 50, 75])
        lines.append((
            key["name"], key["unit"], key["measured_by"], len(rows), count_patients(rows), float(median), float(low),
            float(high), float(numbers.min()), float(numbers.max()),
        ))  # fmt: skip
    columns = (
        "measurement", "unit", "taken by", "films", "patients", "median", "1st quartile", "3rd quartile", "least", "most",
    )  # fmt: skip
    return Table(
        columns,
        lines,
        "Clinical measurements, without values that cannot be, such as a share above 100 %.",
        source="db/queries/measurement_values.sql",
    )


def measurement_figure(measured: Measured) -> Chart | None:
    """Draw the distributions of ratio and widths, then of the most frequent measurements; None where there are none."""
    frequent = sorted(measured, key=lambda pair: (not pair[0]["name"].startswith(FIRST), -pair[0]["films"]))[:SHOWN]
    if not frequent:
        return None
    rows = -(-len(frequent) // 3)
    figure, axes = new_figure(9.0, 2.5 * rows, columns=3, rows=rows)
    lines = []
    for axis, (key, values) in zip(axes.ravel(), frequent, strict=False):
        numbers = [row["value"] for row in values]
        counts, edges, _ = axis.hist(numbers, bins=20, color=BLUE)
        axis.set_title(f"{key['name'].replace('_', ' ')}\nn = {len(numbers)}, by {key['measured_by']}", fontsize=8)
        axis.set(xlabel=key["unit"], ylabel="films")
        lines += [
            (key["name"], key["measured_by"], float(a), float(b), int(n))
            for a, b, n in zip(edges, edges[1:], counts, strict=False)
        ]
    for axis in axes.ravel()[len(frequent) :]:
        axis.axis("off")
    return Chart(figure, ("measurement", "taken_by", "from", "below", "films"), lines)
