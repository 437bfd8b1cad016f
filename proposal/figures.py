"""The figures of proposal.md, drawn from computed numbers: `python -m proposal.figures` writes docs/figures/proposal-*."""

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from cli.command import run
from cli.settings import parse_settings, setting
from proposal.budget import CARDS, HEADROOM, estimate
from proposal.covering import typical_filling
from proposal.films import SECOND, VARIANTS, draw_set, draw_variants
from proposal.interventions import CONCEPTS
from proposal.numbers import PATIENTS
from proposal.plan import COMPARED, TEST_STUDIES
from proposal.results import stored
from proposal.splits import effective_sample_size, half_width

matplotlib.use("Agg")
# Fixed ids inside the files: the same numbers give the same bytes.
matplotlib.rcParams["svg.hashsalt"] = "proposal"
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999999")  # Okabe and Ito 2008


@dataclass(frozen=True)
class FiguresConfig:
    """Where to."""

    out: Path = setting(Path("docs/figures"), "folder to write into")


def main(argv: list[str]) -> int:
    """Write all figures."""
    out = parse_settings(FiguresConfig, argv, __doc__).out
    out.mkdir(parents=True, exist_ok=True)
    drawn = {"design": design_figure(), "memory": memory_figure(), "effective-size": size_figure()}
    drawn["protocol"] = protocol_figure(stored())
    for name, figure in drawn.items():
        figure.savefig(out / f"proposal-{name}.svg", metadata={"Date": None})
    films_picture().save(out / "proposal-films.png", optimize=True)
    print(f"wrote {len(drawn) + 1} figures into {out}")
    return 0


def design_figure() -> Figure:
    """Draw what is frozen, what is trained, and where the tests take hold."""
    figure, axis = _plain(9.0, 3.3)
    boxes = [
        (0.0, "frontal film\n(+ lateral)", "#eeeeee"), (2.0, "image encoder\nfrozen", "#d5e5f0"),
        (4.0, "projector\ntrained", "#fbe3b5"), (6.0, "decoder, 4 B\nfrozen + LoRA", "#fbe3b5"),
        (8.0, "FINDINGS,\none film's", "#eeeeee"),
    ]  # fmt: skip
    for x, text, colour in boxes:
        _box(axis, x, 1.2, text, colour)
        if x:
            axis.annotate("", (x, 1.6), (x - 0.4, 1.6), arrowprops={"arrowstyle": "->"})
    _box(axis, 6.0, 0.0, "view, indication", "#eeeeee")
    axis.annotate("", (6.8, 1.2), (6.8, 0.8), arrowprops={"arrowstyle": "->"})
    for x, text in (
        (0.8, "swap, cover,\nmirror the film"), (2.8, "probe"), (4.8, "blind twin:\nno image tokens"),
        (6.8, "wrong indication"), (8.8, "compare sentence pairs,\ncheck the stated ratio"),
    ):  # fmt: skip
        axis.annotate(
            text, (x, 2.0), (x, 2.75), ha="center", va="center", fontsize=8, color=COLOURS[3],
            arrowprops={"arrowstyle": "->", "color": COLOURS[3]},
        )  # fmt: skip
    axis.set(xlim=(-0.2, 10.0), ylim=(-0.2, 3.2))
    return figure


def memory_figure() -> Figure:
    """Draw the memory of each method as stacked bars against both cards."""
    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    axis = figure.subplots()
    parts = [estimate(config).memory_parts for _, config in COMPARED]
    names = [name.strip("*") for name, _ in COMPARED]
    left = np.zeros(len(parts))
    for colour, part in zip(COLOURS, parts[0], strict=True):
        widths = np.array([values[part] / 1e9 for values in parts])
        axis.barh(names, widths, left=left, color=colour, label=part)
        left += widths
    for card in CARDS.values():
        limit = HEADROOM * card.memory / 1e9
        axis.axvline(limit, color="black", linewidth=0.8, linestyle="--")
        axis.text(limit, -0.75, f"{HEADROOM:.0%} of {card.memory / 1e9:.0f} GB", ha="center", fontsize=7)
    axis.invert_yaxis()
    axis.set(xlabel="GB on one card, 8 samples of 1,024 tokens")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=7, loc=(0.52, 0.42))
    return figure


def size_figure() -> Figure:
    """Draw what the 2,461 test studies of 293 patients are worth, and the interval that follows, by intraclass correlation."""
    figure = Figure(figsize=(8.0, 3.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    icc = np.linspace(0, 0.5, 51)
    for colour, cv in zip(COLOURS, (0.0, 1.0), strict=False):
        worth = [effective_sample_size(TEST_STUDIES, PATIENTS["test"], value, cv) for value in icc]
        left.plot(icc, worth, color=colour, label=f"spread of studies per patient: cv {cv:g}")
        right.plot(icc, [100 * half_width(0.5, size) for size in worth], color=colour)
    left.set(xlabel="intraclass correlation", ylabel="independent studies it is worth", ylim=(0, TEST_STUDIES * 1.05))
    right.set(xlabel="intraclass correlation", ylabel="± points at 50 %, 95 % interval", ylim=(0, None))
    left.legend(frameon=False, fontsize=8)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(color="#dddddd", linewidth=0.6)
    return figure


def protocol_figure(results: dict) -> Figure:
    """Draw AUROC of each method and its blind twin, concept by concept, with the interval over seeds."""
    keys = [*(f"test {concept}" for concept in CONCEPTS), "external opacity"]
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axes = figure.subplots(1, len(keys), sharey=True)
    for axis, key in zip(axes, keys, strict=True):
        for row, (colour, method) in enumerate(zip(COLOURS, results["methods"].values(), strict=False)):
            for kind, marker in (("real", "o"), ("blind", "x")):
                mean, half = method[kind][key]
                axis.errorbar(mean, row, xerr=half, fmt=marker, color=colour, capsize=2, markersize=5)
        axis.axvline(0.5, color="#999999", linewidth=0.8, linestyle=":")
        axis.set(title=key.removeprefix("test "), xlabel="AUROC", xlim=(0.3, 1.02))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(results["methods"])), list(results["methods"]))
    axes[0].invert_yaxis()
    figure.suptitle("o adapted with the film    x blind twin", fontsize=9)
    return figure


def films_picture() -> Image.Image:
    """Show six invented people, a row per entry of VARIANTS; then heart covered, as much elsewhere covered, opacity covered."""
    variants = draw_variants(seed=7, people=6, hospital=SECOND, workers=1)
    rows = [np.hstack([film.image for film in variants[name]]) for name in VARIANTS]
    filling = typical_filling(draw_set(seed=8, people=60, per_person=1, hospital=SECOND, workers=1))
    covers = (("heart", filling.cover_target), ("heart", filling.cover_irrelevant), ("opacity", filling.cover_target))
    for concept, cover in covers:
        rows.append(np.hstack([cover(film, concept).image for film in variants[concept]]))
    picture = Image.fromarray(np.vstack(rows))
    return picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC)


def _plain(width: float, height: float):
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    axis.axis("off")
    return figure, axis


def _box(axis, x: float, y: float, text: str, colour: str) -> None:
    axis.add_patch(
        FancyBboxPatch((x + 0.05, y), 1.5, 0.8, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="#555555")
    )
    axis.text(x + 0.8, y + 0.4, text, ha="center", va="center", fontsize=9)


if __name__ == "__main__":
    run(main)
