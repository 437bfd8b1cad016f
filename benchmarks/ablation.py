"""What each ingredient of the training gives: variants, trained over several seeds, scored in-source and on a source left out.

    python -m benchmarks.ablation --db films.sqlite                        # hours on two cores; call again to go on
    python -m benchmarks.ablation --db films.sqlite --part efficiency      # few films, with and without phantom films first

Every training and evaluation is the command that a user would call, in a folder of its own below --out; a finished one is never
done again. The tables go to stdout and to --out/PART.md: means over the seeds and 95 % t intervals, then the differences to the
first row, seed by seed, which say how much is chance between trainings. In-source: fold 1 of 5 by patient. Across: the sources
of --left-out, never trained on.
"""

import json
import math
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean, stdev

from cli.command import DONE, run
from cli.parallel import map_in_order
from cli.settings import parse_settings, setting
from db.connection import connect_existing
from pipeline.train_settings import TrainConfig
from pipeline.training_films import draw_and_select
from unet.distributions import t_quantile

ROOT = Path(__file__).parent.parent
INGREDIENTS = {
    "as recommended": (),
    "no phantom films first": ("--phantom-epochs", "0"),
    "no films drawn with the heart": ("--guest-share", "0"),
    "full size throughout": ("--small-share", "0"),
    "no calm end": ("--calm-share", "0"),
    "batches of 8": ("--batch-size", "8"),
    "AdamW for all weights": ("--optimizer", "adamw"),
    "no augmentation": ("--no-augment",),
    "cross entropy alone": ("--dice-weight", "0"),
    "the heart counted double": ("--heart-weight", "2"),
    "CLAHE": ("--intensity", "clahe"),
    "raw grey levels": ("--intensity", "none"),
    "last weights instead of their average": ("--average-decay", "0"),
}
FILM_COUNTS = (8, 16, 32, 64, 128)
COLUMNS = (("lungs", "mean"), ("lungs", "p5"), ("heart", "mean"))


@dataclass(frozen=True)
class AblationConfig:
    """Settings of the ablation."""

    db: Path = setting(Path("films.sqlite"), "database of films")
    out: Path = setting(Path("runs/ablation"), "folder for the trainings and the tables")
    part: str = setting("ingredients", "which table to make", choices=("ingredients", "efficiency"))
    preset: str = setting("accurate", "preset of every training", choices=("fast", "accurate"))
    seeds: int = setting(3, "trainings of each variant, with the seeds 0, 1, ...")
    at_once: int = setting(1, "trainings at the same time; OMP_NUM_THREADS says how many cores each has")
    epochs: int | None = setting(None, "epochs of every training, instead of the preset's")
    phantom_epochs: int | None = setting(None, "epochs on phantom films before them, instead of the preset's")
    rows: tuple[str, ...] = setting((), "make only these rows of the table, by their names; without it all")
    left_out: tuple[str, ...] = setting(("montgomery",), "sources to test on that are never trained on")


def main(argv: list[str]) -> int:
    """Train and score what is missing, print the table of what there is."""
    config = parse_settings(AblationConfig, argv, __doc__)
    for name in ("seeds", "at_once"):
        if getattr(config, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(config, name)}: wanted 1 or more")
    splits = {"in-source": ("--folds", "5", "--fold", "1"), "across": ("--leave-out", ",".join(config.left_out))}
    variants = chosen_variants(config)
    common = ["--db", str(config.db), "--preset", config.preset]
    common += ["--epochs", str(config.epochs)] if config.epochs is not None else []
    common += ["--phantom-epochs", str(config.phantom_epochs)] if config.phantom_epochs is not None else []

    def numbers_of(training: tuple[str, str, int]) -> tuple[float | None, ...]:
        name, split, seed = training
        selection = (*splits[split], "--seed", str(seed))
        own = without_too_many(variants[name], (*common, *selection))
        folder = config.out / config.part / slug(name) / split / f"seed{seed}"
        return tuple(scores(train_and_score(folder, (*common, *own, *selection))))

    trainings = [(name, split, seed) for name in variants for split in splits for seed in range(config.seeds)]
    numbers = map_in_order(numbers_of, trainings, config.at_once)
    values = {}  # variant to its columns, each with one number per seed
    for name in variants:
        per_split = [list(islice(numbers, config.seeds)) for _ in splits]
        values[name] = [column for rows in per_split for column in zip(*rows, strict=True)]
        print(" | ".join((name, *map(over_seeds, values[name]))), flush=True)
    rows = [(name, *map(over_seeds, columns)) for name, columns in values.items()]
    lines = list(table_lines(rows, splits))
    if len(values) > 1:
        lines += ["", *table_lines(difference_rows(values), splits)]
    text = "\n".join(lines) + "\n"
    (config.out / f"{config.part}.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
    return DONE


def chosen_variants(config: AblationConfig) -> dict[str, tuple[str, ...]]:
    """Return the rows of the table that are asked for, name to flags; a flag given twice counts as the last one says."""
    variants = INGREDIENTS if config.part == "ingredients" else efficiency_variants()
    unknown = sorted(set(config.rows) - set(variants))
    if unknown:
        raise ValueError(f"--rows {unknown[0]}: no such row; wanted some of {', '.join(variants)}")
    return {name: flags for name, flags in variants.items() if not config.rows or name in config.rows}


def efficiency_variants() -> dict[str, tuple[str, ...]]:
    """Return the trainings on few films, each with and without the phantom first; all of them make about as many steps."""
    variants = {}
    for count in (*FILM_COUNTS, 0):
        films = ("--train-films", str(count), "--guest-share", "0")
        label = f"{count} films" if count else "all films"
        variants[f"{label} after the phantom"] = films
        variants[f"{label} alone"] = (*films, "--phantom-epochs", "0")
    return variants


def without_too_many(flags: Sequence[str], selection: Sequence[str]) -> tuple[str, ...]:
    """Return the flags without a --train-films for which there are too few films, which then means all of them.

    selection: flags of train.py that decide which films there are.
    """
    if "--train-films" not in flags:
        return tuple(flags)
    place = flags.index("--train-films")
    config = parse_settings(TrainConfig, list(selection), "")
    with closing(connect_existing(config.db)) as connection:
        _, _, counts = draw_and_select(connection, config)
    return tuple(flags) if int(flags[place + 1]) <= counts["train"] else (*flags[:place], *flags[place + 2 :])


def train_and_score(
    folder: Path, train_flags: Sequence[str], test: str = "test", test_flags: Sequence[str] = ()
) -> dict:
    """Return summary.json of one training's test films, training and scoring where that has not been done.

    test: name of the evaluation, one folder each; test_flags: what it scores. ValueError where the folder holds a training or an
    evaluation with other flags.
    """
    check_asked(folder / "asked.json", train_flags)
    check_asked(folder / f"asked-{test}.json", test_flags)
    if not (folder / test / "summary.json").is_file():
        if (folder / "last.pt").is_file():
            call("train.py", "--resume", str(folder))  # one that is finished does no epoch more
        else:
            call("train.py", "--out", str(folder), *train_flags)
        call("evaluate.py", "--checkpoint", str(folder / "best.pt"), "--out", str(folder / test), *test_flags)
    return json.loads((folder / test / "summary.json").read_text(encoding="utf-8"))


def check_asked(path: Path, flags: Sequence[str]) -> None:
    """Note the flags in a file, or hold them against those noted by an earlier call: its numbers are not to be relabelled."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(flags), encoding="utf-8")
    before = json.loads(path.read_text(encoding="utf-8"))
    if before != list(flags):
        raise ValueError(
            f"{path.parent} was made with {' '.join(before)}, now asked for {' '.join(flags)}; name another --out"
        )


def call(script: str, *arguments: str) -> None:
    """Run one of the commands; its own error line says what is wrong."""
    done = subprocess.run([sys.executable, script, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    if done.returncode != DONE:
        raise ValueError(f"{script} {' '.join(arguments)} ended with status {done.returncode}; mend it and call again")


def scores(summary: dict) -> Iterator[float | None]:
    """Yield the table's numbers of one run; None where a structure is drawn on no test film."""
    for structure, statistic in COLUMNS:
        part = summary["structures"].get(structure)
        yield part["dice"][statistic] if part else None


def over_seeds(values: Sequence[float | None]) -> str:
    """Write mean and half width of the 95 % t interval over the seeds, or the value alone where there is one seed."""
    known = [value for value in values if value is not None]
    if not known:
        return "not drawn"
    if len(known) == 1:
        return f"{known[0]:.4f}"
    half_width = t_quantile(0.975, len(known) - 1) * stdev(known) / math.sqrt(len(known))
    return f"{mean(known):.4f} ± {half_width:.4f}"


def difference_rows(values: Mapping[str, Sequence[Sequence[float | None]]]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each variant after the first: its differences to the first, seed by seed, each on the same films.

    values: variant to columns of one Dice per seed, None where it is undefined; a difference with a None is left out. Splits
    differ from seed to seed, so these intervals are the narrower ones.
    """
    (first, base), *others = values.items()
    for name, columns in others:
        pairs = (zip(own, reference, strict=True) for own, reference in zip(columns, base, strict=True))
        differences = ([None if None in pair else pair[0] - pair[1] for pair in both] for both in pairs)
        yield (f"{name}, less {first}", *map(over_seeds, differences))


def table_lines(rows: Iterable[tuple[str, ...]], splits: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the Markdown table."""
    names = {"mean": "", "p5": " 5th percentile"}
    heads = [f"{split}: {structure}{names[statistic]}" for split in splits for structure, statistic in COLUMNS]
    yield "| variant | " + " | ".join(heads) + " |"
    yield "|---" * (1 + len(heads)) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def slug(name: str) -> str:
    """Return a name that is fit for a folder."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name).split())


if __name__ == "__main__":
    run(main)
