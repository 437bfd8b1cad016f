"""How many cases a reader study needs: `python -m proposal.reader_study --better 0.20 --worse 0.10`."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from cli.command import run
from cli.settings import parse_settings, setting

NORMAL = NormalDist()


def paired_binary_cases(better: float, worse: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the cases needed to show that better and worse differ, by McNemar's test, two-sided (Connor 1987).

    better: share of cases in which arm 1 alone succeeds, worse: in which arm 2 alone does. ValueError when they are equal, as
    no number of cases can show a difference of none, or are no shares.
    """
    discordant, difference = better + worse, better - worse
    if better < 0 or worse < 0 or discordant > 1 or difference == 0:
        raise ValueError(f"paired_binary_cases: {better} and {worse}; wanted two different shares >= 0 with a sum <= 1")
    z_alpha, z_power = NORMAL.inv_cdf(1 - alpha / 2), NORMAL.inv_cdf(power)
    root = z_alpha * math.sqrt(discordant) + z_power * math.sqrt(discordant - difference**2)
    return math.ceil((root / difference) ** 2)


def paired_score_cases(effect: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the cases needed for a paired t-test on a score, two-sided; effect: mean difference over its own deviation.

    Normal approximation with Guenther's (1981) correction z_alpha^2 / 2.
    """
    if effect == 0:
        raise ValueError("paired_score_cases: effect 0, wanted a number other than 0")
    z_alpha, z_power = NORMAL.inv_cdf(1 - alpha / 2), NORMAL.inv_cdf(power)
    return math.ceil(((z_alpha + z_power) / effect) ** 2 + z_alpha**2 / 2)


def paired_binary_power(better: float, worse: float, cases: int, alpha: float = 0.05) -> float:
    """Return the power that `cases` cases give to McNemar's test, 0..1: the inverse of paired_binary_cases."""
    discordant, difference = better + worse, abs(better - worse)
    z_alpha = NORMAL.inv_cdf(1 - alpha / 2)
    return NORMAL.cdf(
        (difference * math.sqrt(cases) - z_alpha * math.sqrt(discordant)) / math.sqrt(discordant - difference**2)
    )


def detectable_effect(cases: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest standardised mean difference that `cases` cases can show: the inverse of paired_score_cases."""
    z_alpha, z_power = NORMAL.inv_cdf(1 - alpha / 2), NORMAL.inv_cdf(power)
    if cases <= z_alpha**2 / 2:
        raise ValueError(f"detectable_effect: {cases} cases, wanted more than {z_alpha**2 / 2:.0f}")
    return (z_alpha + z_power) / math.sqrt(cases - z_alpha**2 / 2)


def neutral_filling_passes(effect: float, movement: float, cases: int, limit: float = 0.1) -> float:
    """Return how often a filling that moves nothing on average passes both halves of the occlusion's gate, 0..1.

    effect: what a finding does to the answer, mean over standard deviation. movement: standard deviation of what covering does
    to films without the finding, as a share of the one before. Each half passes where its mean over the cases is at most `limit`
    of the finding's effect, taken as known: (2 Phi(limit effect sqrt(n) / movement) - 1)^2 for two independent halves.
    ValueError unless effect and movement are above 0 and there is a case.
    """
    if effect <= 0 or movement <= 0 or cases < 1:
        raise ValueError(f"neutral_filling_passes: {effect}, {movement}, {cases} cases; wanted all above 0")
    return (2 * NORMAL.cdf(limit * effect * math.sqrt(cases) / movement) - 1) ** 2


def auc_gap_half_width(first: float, second: float, positives: int, negatives: int, correlation: float) -> float:
    """Return half the 95 % interval of the difference of two AUROCs on the same films (Hanley and McNeil 1982, 1983).

    correlation: of the two estimates, 0..1. ValueError unless both AUROCs lie strictly between 0 and 1, with films of both kinds.
    """
    if not (0 < first < 1 and 0 < second < 1) or min(positives, negatives) < 1:
        raise ValueError(
            f"auc_gap_half_width: {first}, {second}, {positives} and {negatives} films; wanted AUROCs in (0, 1) and films"
        )
    one, two = (_auc_variance(area, positives, negatives) for area in (first, second))
    return NORMAL.inv_cdf(0.975) * math.sqrt(one + two - 2 * correlation * math.sqrt(one * two))


def _auc_variance(area: float, positives: int, negatives: int) -> float:
    both_positive, both_negative = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (positives - 1) * (both_positive - area**2) + (negatives - 1) * (both_negative - area**2)
    return (area * (1 - area) + spread) / (positives * negatives)


def correlation_interval(correlation: float, cases: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a correlation by Fisher's z (1921); ValueError unless -1 < r < 1 and there are 4 cases or more."""
    if not -1 < correlation < 1 or cases < 4:
        raise ValueError(f"correlation_interval: r = {correlation}, n = {cases}; wanted -1 < r < 1 and n >= 4")
    reach = NORMAL.inv_cdf(0.5 + confidence / 2) / math.sqrt(cases - 3)
    return math.tanh(math.atanh(correlation) - reach), math.tanh(math.atanh(correlation) + reach)


def reader_variance_factor(readers: int, agreement: float) -> float:
    """Return the variance of a case's mean over readers, as a share of one reader's: (1 + (R - 1) rho) / R.

    agreement: correlation of two readers on one case, 0..1. It never falls below `agreement`: cases, not readers, buy power.
    """
    if readers < 1 or not 0 <= agreement <= 1:
        raise ValueError(f"reader_variance_factor: {readers} readers, agreement {agreement}; wanted >= 1 and 0..1")
    return (1 + (readers - 1) * agreement) / readers


def kappa_half_width(observed: float, expected: float, cases: int, confidence: float = 0.95) -> float:
    """Return half the width of kappa's interval from its large-sample error sqrt(po (1 - po) / n) / (1 - pe) (Cohen 1960)."""
    if not 0 <= expected < 1 or not 0 <= observed <= 1 or cases < 1:
        raise ValueError(
            f"kappa_half_width: po = {observed}, pe = {expected}, n = {cases}; wanted shares, pe < 1, n >= 1"
        )
    return NORMAL.inv_cdf(0.5 + confidence / 2) * math.sqrt(observed * (1 - observed) / cases) / (1 - expected)


@dataclass(frozen=True)
class StudyConfig:
    """What one wants to be able to show."""

    better: float = setting(0.20, "share of cases that only the tuned model gets right")
    worse: float = setting(0.10, "share of cases that only the base model gets right")
    effect: float = setting(0.25, "mean difference of a paired score, in its own standard deviations")
    power: float = setting(0.8, "wanted power, 0..1")
    alpha: float = setting(0.05, "two-sided level, 0..1")


def main(argv: list[str]) -> int:
    """Print the cases needed for one setting."""
    config = parse_settings(StudyConfig, argv, __doc__)
    binary = paired_binary_cases(config.better, config.worse, config.power, config.alpha)
    print(f"paired yes/no, McNemar: {binary} cases")
    print(f"paired score, t-test:   {paired_score_cases(config.effect, config.power, config.alpha)} cases")
    return 0


if __name__ == "__main__":
    run(main)
