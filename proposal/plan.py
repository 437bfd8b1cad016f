"""The runs that the proposal plans, what they cost, and the cards they are compared on: `python -m proposal.plan`."""

import sys
from dataclasses import dataclass, replace

from proposal.budget import CARDS, BudgetConfig, estimate

# One sample: a frontal and, where there is one, a lateral film of 256 tokens each, 256 for the prompt, 256 for the target.
SAMPLES = 148_374  # MIMIC-CXR findings sections of the RRG24 shared task
SUBSET = 20_000
MAIN = BudgetConfig(
    method="lora", rank=16, sequence=1024, target_length=256, images=2, batch=8, samples=SAMPLES, epochs=3
)
PILOT = replace(MAIN, samples=SUBSET, epochs=2)


@dataclass(frozen=True)
class PlannedRun:
    """Runs of one kind on 80 GB cards."""

    purpose: str
    runs: int
    config: BudgetConfig


def on_80gb(config: BudgetConfig, **changes) -> BudgetConfig:
    """Return a run moved to one 80 GB card, with changes."""
    return replace(config, card="80GB", **changes)


MAIRA_TOKENS = 2 * 1369 + 512  # two films [6], prompt and target
# Three films, prompt, the prior findings, and targets twice as long, as they are not cleaned. On all samples, though only those
# with a prior enter: an upper bound.
STAGE_B = on_80gb(MAIN, sequence=3 * 256 + 256 + 256 + 512, target_length=512, images=3, batch=4, epochs=1)
EVALUATED = 24  # 12 main runs, 6 of stage B, both bases, MAIRA-2, two comparators and the retrieval baseline
TEST_STUDIES = 2_461  # as MAIRA-2 was tested [6]
EXTERNAL_PATIENTS = 3 * 1_000  # at most 1,000 of each external set, one study of each
GREEN_SECONDS = 2.2  # a report [25]
WRITING_SECONDS = 2.0  # a report: an assumption
LATE = ("main", "stage B", "section 10")
# Where a line holds several settings, the dearest stands for all.
RUNS = (
    PlannedRun(
        "control: blind twin of MAIRA-2 by LoRA of rank 16, 3 seeds",
        3,
        on_80gb(PILOT, model="vicuna-7b", sequence=MAIRA_TOKENS, images=2, batch=4),
    ),
    PlannedRun("pilot: projector only, 2 rates", 2, on_80gb(PILOT, method="projector")),
    PlannedRun("pilot: LoRA of rank 8, 16, 64, 2 rates each", 6, on_80gb(PILOT, rank=64)),
    PlannedRun(
        "pilot: LoRA of rank 16 with encoder LoRA of rank 8, both bases, 2 rates each", 4, on_80gb(PILOT, vision_rank=8)
    ),
    PlannedRun("pilot: LoRA of rank 16 on Gemma 3, and its blind twin", 2, on_80gb(PILOT)),
    PlannedRun("pilot: full decoder, 2 rates", 2, on_80gb(PILOT, method="full")),
    PlannedRun("pilot: blind twins of LoRA and full", 2, on_80gb(PILOT, method="full")),
    PlannedRun("pilot: permuted twin of LoRA, its films dealt out to other patients, 3 seeds", 3, on_80gb(PILOT)),
    PlannedRun("pilot: four crops of the frontal film added", 1, on_80gb(PILOT, sequence=2048, images=6, batch=4)),
    PlannedRun("main: LoRA on MedGemma 4B PT, 3 seeds", 3, on_80gb(MAIN)),
    PlannedRun("main: LoRA on Gemma 3 4B PT, 3 seeds", 3, on_80gb(MAIN)),
    PlannedRun("main: blind twins of both, 3 seeds", 6, on_80gb(MAIN)),
    PlannedRun("stage B: prior film and findings added, 3 seeds", 3, STAGE_B),
    PlannedRun("stage B: blind twins, 3 seeds", 3, STAGE_B),
    PlannedRun("section 10: number taught, blind twin, shuffled control, 3 seeds", 9, on_80gb(PILOT)),
)


def evaluation_hours() -> float:
    """Return the card-hours in which one model writes all reports once and GREEN judges them."""
    return (TEST_STUDIES + EXTERNAL_PATIENTS) * (WRITING_SECONDS + GREEN_SECONDS) / 3600


def campaign() -> dict[str, float]:
    """Return card-hours and money of all runs, with a reserve of a half for what fails and is run again: an assumption."""
    hours = sum(run.runs * estimate(run.config).card_hours for run in RUNS) + EVALUATED * evaluation_hours()
    money = hours * CARDS["80GB"].price_per_hour
    return {"hours": hours, "money": money, "hours with reserve": 1.5 * hours, "money with reserve": 1.5 * money}


def late_hours() -> float:
    """Return the card-hours of all runs after control and pilot."""
    return sum(run.runs * estimate(run.config).card_hours for run in RUNS if run.purpose.startswith(LATE))


def runs_table() -> list[str]:
    """Return the planned runs as a Markdown table."""
    lines = ["| runs | n | card-hours each | card-hours | USD |", "| --- | ---: | ---: | ---: | ---: |"]
    for run in RUNS:
        budget = estimate(run.config)
        each, total, money = budget.card_hours, run.runs * budget.card_hours, run.runs * budget.money
        lines.append(f"| {run.purpose} | {run.runs} | {each:.1f} | {total:.0f} | {money:.0f} |")
    each, total = evaluation_hours(), campaign()
    together, price = EVALUATED * each, CARDS["80GB"].price_per_hour
    lines.append(
        f"| evaluation: reports of a model on test and external sets, written and judged by GREEN | {EVALUATED} | {each:.1f} "
        f"| {together:.0f} | {together * price:.0f} |"
    )
    lines.append(f"| sum | {sum(run.runs for run in RUNS)} | | {total['hours']:.0f} | {total['money']:.0f} |")
    lines.append(
        f"| with a reserve of one half | | | {total['hours with reserve']:.0f} | {total['money with reserve']:.0f} |"
    )
    return lines


# name in the table, settings; the batch is what fits on every card that it is shown for.
COMPARED = (
    ("projector only", replace(MAIN, method="projector")),
    ("**LoRA r 16, decoder**", MAIN),
    ("LoRA r 64, decoder", replace(MAIN, rank=64)),
    ("LoRA r 16, decoder + r 8, encoder", replace(MAIN, vision_rank=8)),
    ("QLoRA r 16, decoder", replace(MAIN, method="qlora")),
    ("full decoder", replace(MAIN, method="full")),
)


def cards_table() -> list[str]:
    """Return memory, fit, time and money of every method on one 24 GB card, one of 80 GB, and eight of these."""
    lines = [
        "| trained, 8 samples a card | numbers trained | GB on one card | fits 24 GB | fits 80 GB | GB on each of 8, sharded"
        " | 1 x 24 GB: h, USD | 1 x 80 GB: h, USD | 8 x 80 GB: h, USD |",
        "| --- | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name, config in COMPARED:
        small, large = estimate(config), estimate(replace(config, card="80GB"))
        eight = estimate(replace(config, card="80GB", cards=8, shard=True))
        cells = [
            name, f"{small.trainable / 1e6:.1f} M", f"{small.memory / 1e9:.1f}", _fit(small.fits), _fit(large.fits),
            f"{eight.memory / 1e9:.1f}",
        ]  # fmt: skip
        cells += [f"{b.hours:.0f}, {b.money:.0f}" if b.fits else "does not fit" for b in (small, large, eight)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def memory_table() -> list[str]:
    """Return where the memory of the main run goes, for LoRA, QLoRA and full, GB."""
    methods = ("lora", "qlora", "full")
    parts = {method: estimate(replace(MAIN, method=method)).memory_parts for method in methods}
    lines = ["| GB | LoRA r 16 | QLoRA r 16 | full decoder |", "| --- | ---: | ---: | ---: |"]
    for part in parts["lora"]:
        values = [parts[method][part] / 1e9 for method in methods]
        if any(values):
            lines.append(f"| {part} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    totals = [sum(parts[method].values()) / 1e9 for method in methods]
    return [*lines, "| **total** | " + " | ".join(f"**{value:.1f}**" for value in totals) + " |"]


def _fit(fits: bool) -> str:
    return "yes" if fits else "no"


if __name__ == "__main__":
    assumed = ", ".join(f"{card.name} {card.price_per_hour:g} USD an hour" for card in CARDS.values())
    sys.stdout.write(
        "\n".join([f"assumed: {assumed}; {MAIN.utilisation:.0%} of peak", *cards_table(), *runs_table()]) + "\n"
    )
