import math

import numpy as np
import pytest

from unet.summary import bootstrap_mean, bootstrap_means, compare_paired, gap, summarise


def test_a_column_by_hand():
    summary = summarise([0.5, 1.0, None, 0.75, float("nan")], ["a", "b", "c", "d", "e"], limit=0.9)
    assert (summary.films, summary.undefined) == (3, 2)
    assert summary.mean.value == 0.75 and summary.median == 0.75
    assert summary.below == pytest.approx(2 / 3)
    assert (summary.least, summary.most) == (0.5, 1.0)
    assert math.isnan(summary.p5) and math.isnan(summary.p95) and math.isnan(summary.mean.low)
    assert summarise([None, float("nan")], ["a", "b"], limit=0.9) is None


def test_the_worst_twentieth_is_told_of_20_films():
    films = list(np.linspace(0.5, 0.97, 20))
    summary = summarise(films, [f"p{number % 10}" for number in range(20)], limit=0.9)
    assert (summary.p5, summary.p95) == pytest.approx(tuple(np.percentile(films, [5, 95])))
    assert summary.mean.low < summary.mean.value < summary.mean.high
    assert math.isnan(summarise(films[1:], [str(number) for number in range(19)], limit=0.9).p5)


def test_the_interval_is_that_of_a_plain_bootstrap_when_every_patient_has_one_film():
    values = np.random.default_rng(1).normal(0.9, 0.05, 60)
    interval = bootstrap_mean(values, [str(i) for i in range(60)])
    error = values.std() / math.sqrt(60)
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.25 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.25 * error)


def test_ten_films_of_one_patient_are_no_ten_patients():
    values = np.repeat(np.random.default_rng(2).normal(0.8, 0.1, 12), 10)
    together = bootstrap_mean(values, np.repeat(np.arange(12), 10).astype(str))
    apart = bootstrap_mean(values, np.arange(120).astype(str))
    assert together.value == apart.value
    assert together.high - together.low > 2.5 * (apart.high - apart.low)


def test_draws_are_means_of_resampled_patients():
    values, patients = np.array([1.0, 2.0, 4.0]), ["a", "a", "b"]
    means = bootstrap_means(values, patients)
    possible = {3 / 2, 8 / 2, 7 / 3}  # a twice, b twice, one of each
    assert {round(mean, 9) for mean in means} == {round(value, 9) for value in possible}


def test_fewer_than_ten_patients_have_no_interval():
    values = np.linspace(0.5, 0.9, 20)
    nine = bootstrap_mean(values, [str(number % 9) for number in range(20)])
    assert nine.value == pytest.approx(0.7) and math.isnan(nine.low) and math.isnan(nine.high)
    ten = bootstrap_mean(values, [str(number % 10) for number in range(20)])
    assert 0.5 < ten.low < ten.value < ten.high < 0.9


def test_a_gap_between_groups_and_its_sign():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.95, 0.01, 50), rng.normal(0.90, 0.01, 40)
    interval = gap(a, [f"a{i}" for i in range(50)], b, [f"b{i}" for i in range(40)])
    assert interval.low < interval.value < interval.high and interval.low > 0.03
    assert interval.value == pytest.approx(a.mean() - b.mean())


def test_a_paired_comparison_finds_a_real_difference_and_no_false_one():
    rng = np.random.default_rng(4)
    base = rng.normal(0.9, 0.05, 40)
    patients = [str(i) for i in range(40)]
    better = compare_paired(base + 0.01 + rng.normal(0, 0.005, 40), base, patients)
    assert better.p < 0.01 and better.difference.low > 0 and better.films == 40
    same = compare_paired(base + rng.normal(0, 0.005, 40), base, patients)
    assert same.p > 0.05
    assert compare_paired(base, base, patients).p == 1


def test_all_sign_flips_of_three_patients_by_hand():
    # sums 3, 2, 1: of the eight sign patterns two reach |6|
    comparison = compare_paired(np.array([3.0, 2.0, 1.0]), np.zeros(3), ["a", "b", "c"])
    assert comparison.p == 2 / 8
    six = compare_paired(np.arange(1.0, 7), np.zeros(6), list("abcdef"))
    assert six.p == 2 / 64  # the least that six patients can reach
    twelve = compare_paired(np.arange(1.0, 13), np.zeros(12), [str(number) for number in range(12)])
    assert 0 < twelve.p < 0.005  # drawn at random from here on


def test_a_missing_value_in_a_comparison_is_refused():
    with pytest.raises(ValueError, match="1 films have no value"):
        compare_paired(np.array([0.5, np.nan]), np.array([0.5, 0.5]), ["a", "b"])


def resampled_in_python(values, patients, seed):
    """The bootstrap written out: draw patients one by one, take all of their films, mean."""
    names = sorted(set(patients))
    generator = np.random.default_rng(seed)
    means = []
    for draw in generator.integers(len(names), size=(2000, len(names))):
        films = [
            value
            for number in draw
            for value, patient in zip(values, patients, strict=True)
            if patient == names[number]
        ]
        means.append(sum(films) / len(films))
    return means


@pytest.mark.parametrize("block", [1, 50, 2**18])
def test_vectorised_draws_equal_those_written_out_whatever_the_block(monkeypatch, block):
    monkeypatch.setattr("unet.summary.BLOCK", block)
    monkeypatch.setattr("unet.summary.SEED", 3)
    values, patients = np.array([0.9, 0.7, 0.95, 0.2, 0.8]), ["b", "a", "c", "b", "d"]
    assert bootstrap_means(values, patients) == pytest.approx(resampled_in_python(values, patients, 3), abs=1e-12)


def test_the_same_seed_gives_the_same_interval_and_another_one_another(monkeypatch):
    values = np.random.default_rng(0).random(30)
    patients = [f"p{i % 17}" for i in range(30)]
    once = bootstrap_mean(values, patients)
    assert bootstrap_mean(values, patients) == once
    monkeypatch.setattr("unet.summary.SEED", 2)
    assert bootstrap_mean(values, patients) != once


def test_films_of_the_same_patients_in_both_groups_are_drawn_together():
    # every patient's film in a scores 0.1 more than the one in b: however patients are drawn, the gap is 0.1
    b = np.random.default_rng(6).normal(0.8, 0.1, 30)
    patients = [f"p{i}" for i in range(30)]
    paired = gap(b + 0.1, patients, b, patients)
    assert paired == pytest.approx((0.1, 0.1, 0.1), abs=1e-12)
    apart = gap(b + 0.1, patients, b, [f"q{i}" for i in range(30)])
    assert apart.low < 0.07 and apart.high > 0.13


def test_the_gap_of_a_mixed_pair_of_groups_covers_what_theory_says():
    rng = np.random.default_rng(7)
    a, b = rng.normal(0.9, 0.05, 80), rng.normal(0.9, 0.02, 60)
    interval = gap(a, [f"p{i}" for i in range(80)], b, [f"p{i}" for i in range(70, 130)])
    error = math.sqrt(a.var() / 80 + b.var() / 60)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.25)


def test_a_group_of_nine_patients_has_a_gap_but_no_interval():
    nine, many = [str(number) for number in range(9)], [str(number) for number in range(30)]
    interval = gap(np.linspace(0.8, 0.9, 9), nine, np.linspace(0.5, 0.7, 30), many)
    assert interval.value == pytest.approx(0.25) and math.isnan(interval.low) and math.isnan(interval.high)


def test_sign_flips_go_by_patient_not_by_film():
    # forty films of two patients: of four patterns two reach the observed mean, so p is 1/2 and not minute
    comparison = compare_paired(np.full(40, 0.9), np.full(40, 0.8), ["a"] * 20 + ["b"] * 20)
    assert comparison.p == 0.5


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: summarise([0.5, 0.6], ["a"], 0.9), "2 values for 1 patients"),
        (lambda: gap([], [], [0.5], ["a"]), "group a holds no film"),
        (lambda: gap([0.5], ["a"], [0.5, 0.6], ["a"]), "group b: 2 values for 1 patients"),
        (lambda: gap([0.5], ["a"], [float("nan")], ["b"]), "1 films have no value in group b"),
        (lambda: compare_paired([0.5, 0.6], [0.5], ["a", "b"]), "run a has 2 films, run b 1"),
    ],
)
def test_columns_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_no_draw_leaves_a_small_group_empty(monkeypatch):
    monkeypatch.setattr("unet.summary.SMALLEST_GROUP", 2)
    # group a: 0.9 or 0.7 or their mean; group b: 0.5 or 0.1 or theirs; so the gap is between 0.2 and 0.8, and never NaN
    interval = gap([0.9, 0.7], ["a", "b"], [0.5, 0.1], ["c", "d"])
    assert interval == pytest.approx((0.5, 0.2, 0.8))


def test_a_patient_who_is_the_only_one_in_a_group_alone_is_resampled_too(monkeypatch):
    monkeypatch.setattr("unet.summary.SMALLEST_GROUP", 2)
    interval = gap([0.9, 0.8], ["1", "2"], [0.7, 0.6], ["2", "3"])
    # draws by hand: p1 and p2 give 0.15 or 0.2, p2 alone 0.1, p1 and p3 0.3; the value itself is 0.2
    assert interval == pytest.approx((0.2, 0.1, 0.3))


def test_a_p_of_draws_is_never_zero():
    patients = [str(i) for i in range(40)]
    assert compare_paired(np.full(40, 0.9), np.full(40, 0.8), patients).p == pytest.approx(1 / 2001, abs=1e-12)
