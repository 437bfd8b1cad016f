"""From the trials of several seeds to intervals, findings per rule and verdicts; patients are resampled, seeds are averaged."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from proposal.decision import BLIND_TWIN, EXTERNAL, IMAGE_SWAP, LEARNT_HERE, OCCLUSION, Finding, finding, verdicts
from proposal.films import Film
from proposal.interventions import CONCEPTS, auroc, labels
from proposal.splits import bootstrap_replicates
from proposal.trial import ELSEWHERE, TYPICAL, Trial
from unet.distributions import t_quantile

MOST_FILLING = (
    0.1  # of what a true finding does to the answer, covering a film without it may do, up or down: section 10's gate
)


def mean_and_half_width(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean over seeds and half its 95 % interval (Student's t); NaN half-width for one seed."""
    if not values:
        raise ValueError("mean_and_half_width: no seeds, wanted one or more")
    if len(values) == 1:
        return float(values[0]), float("nan")
    half = t_quantile(0.975, len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)), half


def gap_finding(
    real: Sequence[np.ndarray], other: Sequence[np.ndarray], films: Sequence[Film], concept: str, replicates: int
):
    """Return the finding on AUROC(real) - AUROC(other), each a mean over its seeds; real, other: margins (n,) per seed."""
    rows = np.column_stack([labels(films, concept), *real, *other])

    def gap(sample: np.ndarray) -> float:
        areas = [auroc(sample[:, column], sample[:, 0]) for column in range(1, sample.shape[1])]
        return float(np.mean(areas[: len(real)]) - np.mean(areas[len(real) :]))

    return finding(gap(rows), bootstrap_replicates(rows, [film.patient for film in films], gap, replicates))


def effect_finding(effects: Sequence[np.ndarray], replicates: int) -> Finding:
    """Return the finding on a mean effect; effects: (people,) per seed, one value a person."""
    mean = np.mean(effects, axis=0)
    people = [str(number) for number in range(len(mean))]
    return finding(float(mean.mean()), bootstrap_replicates(mean, people, np.mean, replicates))


def findings(
    real: Sequence[Trial],
    blind: Sequence[Trial],
    base: dict[str, dict[str, np.ndarray]],
    test,
    external,
    replicates: int,
) -> dict[str, dict[str, Finding]]:
    """Try every rule of proposal.decision for every concept. base: margins by style; its better style stands for the base.

    Where the filling alone moves the answer (MOST_FILLING), over the target or over the irrelevant region, the occlusion says
    nothing, and its condition is not met.
    """
    tried = {}
    for concept in CONCEPTS:
        truth = labels(test, concept)
        best_style = max(base, key=lambda style: auroc(base[style][concept], truth))
        occluded = effect_finding(_all(real, "occlusion", concept), replicates)
        pick = {
            BLIND_TWIN.name: gap_finding(_all(real, "test", concept), _all(blind, "test", concept), test, concept, replicates),
            IMAGE_SWAP.name: effect_finding(_all(real, "swap", concept), replicates),
            OCCLUSION.name: occluded if filling_is_neutral(real, concept) else replace(occluded, p=1.0),
            EXTERNAL.name: gap_finding(
                _all(real, "external", concept), _all(blind, "external", concept), external, concept, replicates
            ),
            LEARNT_HERE.name: gap_finding(
                _all(real, "test", concept), [base[best_style][concept]], test, concept, replicates
            ),
        }  # fmt: skip
        tried[concept] = pick
    return tried


def filling_is_neutral(trials: Sequence[Trial], concept: str) -> bool:
    """Tell whether neither half of an occlusion moves the answer on films without the finding: a fall inflates what it says."""
    return all(abs(filling_share(trials, filling, concept)) <= MOST_FILLING for filling in (TYPICAL, ELSEWHERE))


def filling_share(trials: Sequence[Trial], filling: str, concept: str) -> float:
    """Return the rise that covering alone makes on films without a finding over the rise that the finding makes; over all seeds.

    A side is swapped for the other one, so half of that rise is what fluid on one side does. Infinite where the finding itself
    makes none.
    """
    raised = float(np.mean([trial.filling[filling][concept] for trial in trials]))
    true = float(np.mean(_all(trials, "swap", concept))) / (2 if concept == "side" else 1)
    return raised / true if true > 0 else float("inf")


def summary(real: Sequence[Trial], blind: Sequence[Trial], base, test, external, replicates: int) -> dict:
    """Return all numbers of one method as JSON-ready values: {name: [mean, half-width over seeds]}, findings and verdicts."""
    tried = findings(real, blind, base, test, external, replicates)
    result: dict = {"verdicts": verdicts(tried)}
    for kind, trials in (("real", real), ("blind", blind)):
        numbers = {
            f"{where} {concept}": mean_and_half_width(
                [auroc(getattr(trial, where)[concept], labels(films, concept)) for trial in trials]
            )
            for where, films in (("test", test), ("external", external))
            for concept in CONCEPTS
        }
        for name in trials[0].numbers:
            numbers[name] = mean_and_half_width([trial.numbers[name] for trial in trials])
        result[kind] = numbers
    result["filling"] = {
        name: {concept: filling_share(real, name, concept) for concept in CONCEPTS} for name in real[0].filling
    }
    result["findings"] = {
        concept: {rule: [f.estimate, f.low, f.high, f.p] for rule, f in rules.items()}
        for concept, rules in tried.items()
    }
    return result


def _all(trials: Sequence[Trial], where: str, concept: str) -> list[np.ndarray]:
    return [getattr(trial, where)[concept] for trial in trials]
