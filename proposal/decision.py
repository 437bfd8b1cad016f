"""When it may be said that a model has learnt a concept: five conditions, all of them, corrected for how many concepts are tried.

`python -m proposal.decision` prints the rules.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.05


@dataclass(frozen=True)
class Rule:
    """One condition. question: what must be above zero; caught: the failure that it has caught in published work, with source."""

    name: str
    question: str
    caught: str


BLIND_TWIN = Rule(
    "blind twin",
    "score with the image minus score of a twin trained and tested without it, same text inputs",
    "a text-only model within 5.7 points of the best of 9 systems on 2,575 chest film questions; 3 of 9 ignore the image"
    " (Lotfinia 2026)",
)
IMAGE_SWAP = Rule(
    "image swap",
    "rise of the answer when the image alone is exchanged for one with the concept",
    "reports dealt out to other films score .862, to their own .877 (Babar 2021); real-minus-blank gaps of +0.89 and +0.90"
    " hide that one model follows the swapped image and one does not: +0.70 and +0.05 (as reported by a pilot of n = 20)",
)
OCCLUSION = Rule(
    "occlusion",
    "fall of the answer when the deciding region is covered, minus its fall for as large an irrelevant one;"
    " not met where covering either region of films without the finding moves the answer by more than a tenth of what the"
    " finding does",
    "answers on atelectasis and opacity that no covering of their region changes (as reported of Lotfinia 2026)",
)
EXTERNAL = Rule(
    "external hospital",
    "blind-twin gap on films of a hospital that nothing was tuned on",
    "MAIRA-2's macro-F1-14 falls from 41.6 to 28.6 on IU-Xray (as reported of Bannur 2024)",
)
LEARNT_HERE = Rule(
    "gain over the base",
    "score of the adapted model minus the base's, asked in the wording the base knows best",
    "RadGraph F1 of 21.9 and 29.5 for two checkpoints of one model, put down to reporting style (Sellergren 2025)",
)
SEES = (BLIND_TWIN, IMAGE_SWAP, OCCLUSION, EXTERNAL)
RULES = (*SEES, LEARNT_HERE)


@dataclass(frozen=True)
class Finding:
    """One condition tried for one concept. p: one-sided, of the condition not being met."""

    estimate: float
    low: float
    high: float
    p: float


def finding(estimate: float, replicates: np.ndarray) -> Finding:
    """Turn bootstrap replicates of an effect into a 95 % interval and a p: the share of replicates at or below zero.

    One is added above and below the line (Davison and Hinkley 1997), so that p is never 0. A replicate that is NaN, as when
    a sample holds no positive film, counts as at or below zero.
    """
    known = replicates[~np.isnan(replicates)]
    if not len(known):
        raise ValueError("finding: all bootstrap replicates are NaN; wanted films with and without the concept")
    low, high = np.percentile(known, [2.5, 97.5])
    not_above = int((~(replicates > 0)).sum())
    return Finding(float(estimate), float(low), float(high), (1 + not_above) / (1 + len(replicates)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number (Holm 1979), in the order given."""
    order = np.argsort(p_values)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def verdicts(tried: Mapping[str, Mapping[str, Finding]], level: float = LEVEL) -> dict[str, str]:
    """Return for each concept "learnt here", "seen, not learnt here" or "no claim".

    tried: concept -> rule name -> finding. All conditions must hold, so a concept's p is its largest (intersection-union,
    Berger 1982); the concepts' are then adjusted by Holm. ValueError names a condition that was not tried.
    """
    for concept, findings in tried.items():
        missing = [rule.name for rule in RULES if rule.name not in findings]
        if missing:
            raise ValueError(
                f"verdicts: {concept} was not tried on {', '.join(missing)}; a condition left out is not met"
            )
    concepts = list(tried)
    sees = holm([max(tried[concept][rule.name].p for rule in SEES) for concept in concepts])
    learnt = holm([max(tried[concept][rule.name].p for rule in RULES) for concept in concepts])
    words = {}
    for concept, p_sees, p_learnt in zip(concepts, sees, learnt, strict=True):
        words[concept] = (
            "learnt here" if p_learnt <= level else "seen, not learnt here" if p_sees <= level else "no claim"
        )
    return words


def rules_text() -> str:
    """Return the rules as they are printed and put into the proposal: a Markdown table."""
    rows = [f"| {n} | **{rule.name}** | {rule.question} | {rule.caught} |" for n, rule in enumerate(RULES, start=1)]
    head = "| | condition: above zero, by a bootstrap of patients | what is measured | the failure it has caught |"
    return "\n".join([head, "| --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(rules_text() + "\n")
