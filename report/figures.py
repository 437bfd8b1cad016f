"""Figures: each function takes numbers and returns a matplotlib figure; colours are safe for colour-blind readers."""

import io
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#666666"  # Okabe & Ito 2008
DPI = 110
matplotlib.rcParams["text.parse_math"] = False  # findings and names come from the data: a $ begins no formula


class Chart(NamedTuple):
    """A figure with the numbers it shows, as the columns and rows of a CSV file."""

    figure: Figure
    columns: Sequence[str]
    rows: Sequence[Sequence]


class PlainLogFormatter(LogFormatter):
    """Labels of a logarithmic axis as plain numbers, where matplotlib writes formulas."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def new_figure(
    width: float = 6.4,
    height: float = 3.6,
    columns: int = 1,
    rows: int = 1,
    height_ratios: Sequence[float] | None = None,
):
    """Return (figure, axes) with the project's plain style; axes is one Axes or an array of them. Sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, height_ratios=height_ratios)
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, axes


def draw_limits(axis: Axes, bias: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> None:
    """Draw bias and limits of agreement (Bland & Altman), each (value, low, high): a line, and its interval as a band."""
    for (value, low, high), colour in ((upper, GREY), (bias, RED), (lower, GREY)):
        axis.axhline(value, color=colour, linewidth=1)
        axis.axhspan(low, high, color=colour, alpha=0.12, linewidth=0)


def figure_bytes(figure: Figure) -> bytes:
    """Render a figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def curves_figure(history: Sequence[dict]) -> Figure:
    """Draw training and validation loss, and validation Dice, over the epochs of a run."""
    figure, (left, right) = new_figure(9.0, 3.4, columns=2)
    epochs = [row["epoch"] for row in history]
    left.plot(epochs, [row["train_loss"] for row in history], color=BLUE, label="training (augmented)")
    left.plot(epochs, [row["val_loss"] for row in history], color=ORANGE, label="validation")
    left.set(xlabel="epoch", ylabel="Dice + BCE loss", yscale="log")
    for which in ("major", "minor"):
        getattr(left.yaxis, f"set_{which}_formatter")(PlainLogFormatter())
    left.legend(frameon=False)
    for structure, colour in (("lungs", BLUE), ("heart", RED)):
        values = [row[f"val_dice_{structure}"] for row in history]
        if any(value is not None for value in values):
            right.plot(epochs, [float("nan") if v is None else v for v in values], color=colour, label=structure)
    right.set(xlabel="epoch", ylabel="validation Dice", ylim=(max(0.0, _lowest(history) - 0.02), 1.0))
    right.legend(frameon=False, loc="lower right")
    return figure


def _lowest(history: Sequence[dict]) -> float:
    """Return the lowest Dice of the second half of a run: with the first epochs the rest would be squeezed into a line."""
    later = history[len(history) // 2 :]
    values = [row[f"val_dice_{s}"] for row in later for s in ("lungs", "heart") if row[f"val_dice_{s}"] is not None]
    return min(values, default=0.0)
