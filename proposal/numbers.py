"""Every computed number of proposal.md, by name: `python -m proposal.numbers` checks the text, `--write` puts them in.

In the text a computed number stands right before a mark that names it, 1,414<!-- ess icc 0.1 -->, and a computed table between
<!-- table NAME --> and <!-- end -->. Numbers without a mark are quoted, with a source beside them.
"""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from cli.command import run
from cli.settings import parse_settings, setting
from proposal import plan, results
from proposal.budget import ADAM_BYTES, BF16, NF4_BYTES, estimate
from proposal.decision import rules_text
from proposal.reader_study import (
    auc_gap_half_width,
    correlation_interval,
    detectable_effect,
    kappa_half_width,
    neutral_filling_passes,
    paired_binary_cases,
    paired_binary_power,
    paired_score_cases,
    reader_variance_factor,
)
from proposal.shapes import ARCHITECTURES
from proposal.splits import effective_sample_size, half_width
from unet.agreement import wilson

TEXT = Path(__file__).resolve().parent.parent / "proposal.md"
MARK = re.compile(r"(?P<value>[^\s|(\[*±]+?)<!-- (?P<name>(?!table |end)[^>]+?) -->")
TABLE = re.compile(r"<!-- table (?P<name>[^>]+?) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)

# Counts of the official split, printed in the dataset's own notebook [1].
STUDIES = {"train": 222_758, "validate": 1_808, "test": 3_269}
PATIENTS = {"train": 64_586, "validate": 500, "test": 293}
PROPOSED = "LoRA, tower"  # the method of the toy run that stands for section 5's decision
GEMMA = ARCHITECTURES["gemma3-4b"]


def dataset_numbers() -> dict[str, str]:
    """Section 2: what the counts of the data set imply."""
    subset, patients = plan.TEST_STUDIES, PATIENTS["test"]
    numbers = {f"studies per patient {name}": f"{STUDIES[name] / PATIENTS[name]:.2f}" for name in STUDIES}
    numbers |= {
        "patients": f"{sum(PATIENTS.values()):,}",
        "studies": f"{sum(STUDIES.values()):,}",
        "findings headers": f"{149_842 / 227_835:.1%}",
        "impression headers": f"{189_561 / 227_835:.1%}",
        "with prior": f"{2_181 / subset:.1%}",
        "style gap": f"{29.5 - 21.9:.1f}",
        "naive half-width": f"{100 * half_width(0.5, subset):.1f}",
    }
    for icc in (0.1, 0.2):
        for cv in (0.0, 1.0):
            worth = effective_sample_size(subset, patients, icc, cv)
            numbers[f"ess icc {icc} cv {cv:g}"] = f"{worth:,.0f}"
    numbers["half-width icc 0.2 cv 1"] = (
        f"{100 * half_width(0.5, effective_sample_size(subset, patients, 0.2, 1.0)):.1f}"
    )
    return numbers


def budget_numbers() -> dict[str, str]:
    """Section 5 and 9: memory, time, money."""
    main = estimate(plan.MAIN)
    qlora = estimate(replace(plan.MAIN, method="qlora"))
    full = estimate(replace(plan.MAIN, method="full"))
    large = plan.on_80gb(plan.MAIN)
    slow, fast = (estimate(replace(large, utilisation=share)) for share in (0.15, 0.35))
    published = estimate(
        plan.on_80gb(plan.MAIN, model="vicuna-7b", sequence=1770, images=1, batch=4, rank=64, samples=148_374)
    )
    campaign = plan.campaign()
    return {
        "lora millions": f"{GEMMA.decoder_lora(16, ('attention', 'mlp')) / 1e6:.1f}",
        "lora share": f"{GEMMA.decoder_lora(16, ('attention', 'mlp')) / GEMMA.total:.2%}",
        "model billions": f"{GEMMA.total / 1e9:.1f}",
        "nf4 bytes": f"{NF4_BYTES:.3f}",
        "lora GB": f"{main.memory / 1e9:.1f}",
        "qlora GB": f"{qlora.memory / 1e9:.1f}",
        "qlora saving GB": f"{(main.memory - qlora.memory) / 1e9:.1f}",
        "full GB": f"{full.memory / 1e9:.1f}",
        "full GB embeddings": f"{(full.memory + GEMMA.embeddings * (ADAM_BYTES - BF16)) / 1e9:.1f}",
        "encoder lora GB batch 4": f"{estimate(replace(plan.MAIN, vision_rank=8, batch=4)).memory / 1e9:.1f}",
        "logits GB": f"{main.memory_parts['logits'] / 1e9:.1f}",
        "logits all GB": f"{estimate(replace(plan.MAIN, target_length=1024)).memory_parts['logits'] / 1e9:.1f}",
        "saved modules GB": f"{2 * GEMMA.embeddings * 16 / 1e9:.1f}",
        "flop": f"{main.flop_per_sample:.1e}",
        "hours 80 fast": f"{fast.hours:.0f}",
        "hours 80 slow": f"{slow.hours:.0f}",
        "llava hours": f"{published.card_hours:.0f}",
        "llava published hours": f"{8 * 24}",
        "late hours": f"{plan.late_hours():.0f}",
        "campaign hours with reserve": f"{campaign['hours with reserve']:,.0f}",
        "campaign money with reserve": f"{campaign['money with reserve']:,.0f}",
    }


def study_numbers() -> dict[str, str]:
    """Section 7 and 10: cases, pairs, widths."""
    (low, high), (low_100, high_100) = (correlation_interval(0.7, cases) for cases in (240, 100))
    return {
        "mcnemar .20 .10": str(paired_binary_cases(0.20, 0.10)),
        "mcnemar .25 .15": str(paired_binary_cases(0.25, 0.15)),
        "mcnemar .10 .05": str(paired_binary_cases(0.10, 0.05)),
        "power 240": f"{paired_binary_power(0.20, 0.10, 240):.0%}",
        "power 240 low": f"{paired_binary_power(0.10, 0.05, 240):.0%}",
        "score .20": str(paired_score_cases(0.20)),
        "score .25": str(paired_score_cases(0.25)),
        "score .30": str(paired_score_cases(0.30)),
        "score .30 three": str(paired_score_cases(0.30, alpha=0.05 / 3)),
        "score .30 holm": str(paired_score_cases(0.30, alpha=0.01)),
        "score .30 one region": str(paired_score_cases(0.30, power=0.9, alpha=0.01)),
        "five at 80": f"{0.8**5:.0%}",
        "power each": f"{0.8 ** (1 / 5):.1%}",
        "pairs jointly": str(paired_score_cases(0.30, power=0.8 ** (1 / 5), alpha=0.01)),
        "audit upper": f"{wilson(4, 200).high:.1%}",
        "detectable 60": f"{detectable_effect(60, alpha=0.01):.2f}",
        "detectable 293": f"{detectable_effect(293, alpha=0.01):.2f}",
        "neutral 208 0.5": f"{neutral_filling_passes(0.30, 0.5, 208):.0%}",
        "neutral 208 0.3": f"{neutral_filling_passes(0.30, 0.3, 208):.0%}",
        "neutral 60 0.5": f"{neutral_filling_passes(0.30, 0.5, 60):.0%}",
        "gap half-width": f"{auc_gap_half_width(0.65, 0.65, 60, 190, 0.3):.2f}",
        "kappa 60": f"{kappa_half_width(0.8, 0.5, 60):.2f}",
        "three readers": f"{reader_variance_factor(3, 0.6):.2f}",
        "attenuation": f"{0.06**2 / (0.06**2 + 0.02**2):.2f}",
        "correlation low": f"{low:.2f}",
        "correlation high": f"{high:.2f}",
        "correlation low 100": f"{low_100:.2f}",
        "correlation high 100": f"{high_100:.2f}",
    }


def all_numbers() -> dict[str, str]:
    """Return every number by its name, formatted as it stands in the text."""
    return dataset_numbers() | budget_numbers() | study_numbers() | results.numbers()


def all_tables() -> dict[str, list[str]]:
    """Return every computed table by its name, as Markdown lines."""
    found = results.stored()
    return {
        "memory": plan.memory_table(),
        "cards": plan.cards_table(),
        "runs": plan.runs_table(),
        "rules": rules_text().splitlines(),
        "methods": results.methods_table(found),
        "verdicts": results.verdicts_table(found),
        "baselines": results.baselines_table(found),
        "conditions": results.conditions_table(found, PROPOSED),
        "checks": results.checks_table(found),
        "fillings": results.fillings_table(found),
    }


def filled(text: str, numbers: dict[str, str], tables: dict[str, list[str]]) -> str:
    """Return the text with every marked number and table replaced by the computed one. ValueError for a name not computed."""

    def known(found: re.Match, computed: dict) -> str:
        if found["name"] not in computed:
            raise ValueError(f"proposal.md: nothing computes {found['name']!r}; known: {', '.join(sorted(computed))}")
        return found["name"]

    def number(found: re.Match) -> str:
        return f"{numbers[known(found, numbers)]}<!-- {found['name']} -->"

    def table(found: re.Match) -> str:
        name = known(found, tables)
        return "\n".join([f"<!-- table {name} -->", *tables[name], "<!-- end -->"])

    return TABLE.sub(table, MARK.sub(number, text))


def differences(text: str, numbers: dict[str, str], tables: dict[str, list[str]]) -> list[str]:
    """Return one line for every number or table of the text that is not what is computed; [] is what one wants."""
    lines = []
    for found in MARK.finditer(text):
        computed = numbers.get(found["name"])
        if found["value"] != computed:
            lines.append(f"{found['name']}: text {found['value']}, computed {computed}")
    for found in TABLE.finditer(text):
        if found["body"].splitlines() != tables.get(found["name"]):
            lines.append(f"table {found['name']}: text and computation differ")
    return lines


@dataclass(frozen=True)
class NumbersConfig:
    """What to do with the text."""

    write: bool = setting(False, "put the computed numbers and tables into proposal.md")
    list: bool = setting(False, "print all numbers as JSON instead")


def main(argv: list[str]) -> int:
    """Check or write proposal.md; status 1 when it differs from what is computed."""
    config = parse_settings(NumbersConfig, argv, __doc__)
    numbers, tables = all_numbers(), all_tables()
    if config.list:
        print(json.dumps(numbers, indent=1))
        return 0
    text = TEXT.read_text(encoding="utf-8")
    if config.write:
        TEXT.write_text(filled(text, numbers, tables), encoding="utf-8")
        return 0
    found = differences(text, numbers, tables)
    print("\n".join(found) or f"{len(MARK.findall(text))} numbers and {len(TABLE.findall(text))} tables agree")
    return 1 if found else 0


if __name__ == "__main__":
    run(main)
