"""What a few films of a new hospital give: a network fine-tuned on them against the same one untouched, there and at home.

    python -m benchmarks.fine_tuning --db films.sqlite       # half an hour on two cores; call again to go on

Per seed: a training on --home alone, then `train.py --init` on --films films of --new. Both networks are scored on the same
held-out patients of either. The table goes to stdout and to --out/fine_tuning.md: mean Dice of the lungs over the seeds with
95 % t intervals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ablation import over_seeds, train_and_score
from cli.command import DONE, run
from cli.settings import parse_settings, setting


@dataclass(frozen=True)
class FineTuningConfig:
    """Settings of the comparison."""

    db: Path = setting(Path("films.sqlite"), "database of films")
    out: Path = setting(Path("runs/fine_tuning"), "folder for the trainings and the table")
    home: tuple[str, ...] = setting(("jsrt", "jsrt_small"), "sources the network is trained on first")
    new: tuple[str, ...] = setting(("montgomery",), "source of the few films")
    films: int = setting(20, "films of the new source to fine-tune on")
    preset: str = setting("accurate", "preset of the first training", choices=("fast", "accurate"))
    seeds: int = setting(3, "repetitions with the seeds 0, 1, ..., each with its own split and its own few films")


def main(argv: list[str]) -> int:
    """Train, fine-tune and score what is missing, print the table."""
    config = parse_settings(FineTuningConfig, argv, __doc__)
    if config.seeds < 1 or config.films < 1:
        raise ValueError(f"--seeds {config.seeds} --films {config.films}: wanted 1 or more of each")
    rows = {}
    for seed in range(config.seeds):
        for row, values in one_seed(config, seed, config.out / f"seed{seed}"):
            rows.setdefault(row, []).append(values)
    text = "\n".join(table_lines(config, rows)) + "\n"
    (config.out / "fine_tuning.md").write_text(text, encoding="utf-8")
    print(text)
    return DONE


def one_seed(config: FineTuningConfig, seed: int, folder: Path) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield name and mean Dice of the lungs (new source, home) of both networks, and their difference."""
    common = ("--db", str(config.db), "--seed", str(seed))
    home, new = ",".join(config.home), ",".join(config.new)
    first, tuned = folder / "first", folder / "tuned"
    flags = {
        first: (*common, "--preset", config.preset, "--source", home),
        tuned: (*common, "--init", str(first / "best.pt"), "--source", new, "--train-films", str(config.films)),
    }
    before, after = (
        tuple(
            train_and_score(network, flags[network], name, ("--source", sources))["structures"]["lungs"]["dice"]["mean"]
            for name, sources in (("new", new), ("home", home))
        )
        for network in (first, tuned)
    )
    yield "untouched", before
    yield f"fine-tuned on {config.films} films", after
    yield "difference", tuple(b - a for a, b in zip(before, after, strict=True))


def table_lines(config: FineTuningConfig, rows: dict[str, Sequence[tuple[float, float]]]) -> Iterator[str]:
    """Yield the lines of the Markdown table."""
    yield f"| lungs Dice on held-out patients | {', '.join(config.new)} | {', '.join(config.home)} |"
    yield "|---|---|---|"
    for name, values in rows.items():
        yield "| " + " | ".join((name, *map(over_seeds, zip(*values, strict=True)))) + " |"


if __name__ == "__main__":
    run(main)
