"""Hand-written statistics against hand-worked answers, and against scipy and statsmodels where they are installed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unet import agreement, association, distributions

RNG = np.random.default_rng(5)
A = np.array([0.42, 0.51, 0.47, 0.55, 0.60, 0.39, 0.48, 0.53, 0.44, 0.58])
B = np.array([0.44, 0.50, 0.49, 0.52, 0.63, 0.41, 0.47, 0.56, 0.43, 0.57])


def test_bland_altman_by_hand():
    result = agreement.bland_altman([1.0, 2.0, 4.0], [0.0, 2.0, 2.0], [*"abc"])
    assert result.bias.value == 1 and result.sd == 1 and result.mae == 1 and result.n == 3
    assert result.upper.value == pytest.approx(1 + 1.959964) and result.lower.value == pytest.approx(1 - 1.959964)
    assert result.cv == pytest.approx(math.sqrt((1 + 0 + 4) / 3 / 2) / (11 / 6))
    for one in (agreement.bland_altman([1.0, 2.0, 4.0], [0.0, 2.0, 2.0], [*"aaa"]),
                agreement.bland_altman([1.0, 2.0], [0.7, 1.7], ["a", "b"])):  # fmt: skip
        assert all(math.isnan(bound) for part in (one.bias, one.lower, one.upper) for bound in part[1:])


def test_intervals_of_the_limits_of_agreement_resample_patients():
    """Drawn by hand, patient by patient; ten copies of each film change nothing but the n - 1 of the standard deviation."""
    rng = np.random.default_rng(0)
    differences = RNG.standard_t(4, 60)
    draws = []
    for chosen in rng.integers(30, size=(2000, 30)):
        own = np.concatenate([differences[2 * k : 2 * k + 2] for k in chosen])
        draws.append(
            (own.mean(), own.mean() - agreement.Z * own.std(ddof=1), own.mean() + agreement.Z * own.std(ddof=1))
        )
    found = agreement.bland_altman(differences, np.zeros(60), [f"p{i // 2:02d}" for i in range(60)])
    for part, own in zip((found.bias, found.lower, found.upper), np.array(draws).T, strict=True):
        assert part[1:] == pytest.approx(np.percentile(own, [2.5, 97.5]), abs=1e-12)
    several = agreement.bland_altman(
        np.repeat(differences, 10), np.zeros(600), np.repeat([f"{i:02d}" for i in range(60)], 10)
    )
    once = agreement.bland_altman(differences, np.zeros(60), [f"{i:02d}" for i in range(60)])
    assert np.ptp(several.upper[1:]) == pytest.approx(np.ptp(once.upper[1:]), rel=0.02)


def test_the_interval_of_a_limit_holds_it_where_the_errors_have_heavy_tails():
    """Student's t with 4 degrees of freedom, standard deviation sqrt(2): the formula for normal errors holds it in 73 %."""
    rng, inside = np.random.default_rng(4), 0
    for _ in range(200):
        errors = rng.standard_t(4, 250)
        found = agreement.bland_altman(errors, np.zeros(250), np.arange(250).astype(str))
        inside += found.upper.low <= agreement.Z * math.sqrt(2) <= found.upper.high
    assert 0.83 <= inside / 200 <= 0.98


def test_icc_of_shrout_and_fleiss_two_judges():
    """Judges 3 and 4 of the table of Shrout & Fleiss 1979, mean squares worked by hand."""
    a, b = [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]
    between, reader, error = 7.4, 49 / 3, 23 / 15
    films = np.mean([a, b], axis=0)
    assert 2 * np.sum((films - films.mean()) ** 2) / 5 == pytest.approx(between)
    expected = (between - error) / (between + error + 2 * (reader - error) / 6)
    assert agreement.icc_2_1(a, b).value == pytest.approx(expected)
    assert agreement.icc_2_1(A, A) == pytest.approx((1, math.nan, math.nan), nan_ok=True)
    for value, n in ((1, 3), (0.1, 3), (0.47, 13), (0.3, 10), (0, 3)):
        assert math.isnan(agreement.icc_2_1([value] * n, [value] * n).value)


def test_kappa_and_shares_by_hand():
    result = agreement.agree_above([1, 1, 0, 0, 1], [1, 0, 0, 0, 1], 0.5)
    assert (result.both, result.only_a, result.only_b, result.neither) == (2, 1, 0, 2)
    assert result.kappa.value == pytest.approx((0.8 - 0.48) / 0.52)
    assert result.sensitivity.value == 1 and result.specificity.value == pytest.approx(2 / 3)
    assert agreement.cohen_kappa(3, 0, 0, 4) == pytest.approx((1, math.nan, math.nan), nan_ok=True)
    # one side never exceeds the limit: kappa is 0 whatever the films, and says nothing of its uncertainty
    assert agreement.cohen_kappa(0, 0, 19, 61) == pytest.approx((0, math.nan, math.nan), nan_ok=True)
    assert math.isnan(agreement.cohen_kappa(5, 0, 0, 0).value) and math.isnan(agreement.cohen_kappa(0, 0, 0, 0).value)
    assert math.isnan(agreement.wilson(0, 0).value)
    assert agreement.wilson(0, 10).low == pytest.approx(0) and agreement.wilson(10, 10).high == pytest.approx(1)


def test_permutation_p_counts_the_observed_grouping():
    assert association.independence_p([[1, 1], [1, 1]]) == (0, 1)  # all 2,000 tables are as far from chance as this one
    assert association.permutation_p([5.0] * 8, [1.0] * 8) == pytest.approx(1 / 2001, abs=2 / 2001)
    assert association.permutation_p([1.0, 2.0], [1.0, 2.0]) == 1
    many = RNG.normal(size=6000)
    assert 0 < association.permutation_p(many[:3000], many[3000:]) <= 1
    assert association.permutation_p(many[:3000] + 1, many[3000:]) < 1e-6


def test_shuffling_and_its_limit_agree():
    a, b = RNG.normal(0.18, 1, 300), RNG.normal(0, 1, 300)
    shuffled = association.permutation_p(a, b)
    limit = pytest.MonkeyPatch()
    limit.setattr(association, "MOST_SHUFFLED", 10)
    exact = association.permutation_p(a, b)
    limit.undo()
    assert shuffled == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize(("small", "spread"), [(10, 3.0), (200, 1 / 3)])
def test_groups_that_differ_in_spread_alone_are_seldom_called_different(small, spread):
    rng = np.random.default_rng(11)
    p = [association.permutation_p(spread * rng.normal(size=small), rng.normal(size=210 - small)) for _ in range(60)]
    assert np.mean(np.array(p) < 0.05) <= 0.15 and np.mean(np.array(p) < 0.5) >= 0.3  # difference of means: 0.5 and 0.0


def test_a_sparse_table_is_shuffled():
    stats = pytest.importorskip("scipy.stats")
    table = [[9, 1], [2, 3]]
    assert association.independence_p(table)[1] == pytest.approx(stats.fisher_exact(table)[1], abs=0.02)
    wide = [[1, 0, 9, 0], [9, 5, 300, 4], [0, 1, 9, 3]]
    dealt = np.random.default_rng(0)
    rows, columns = (np.repeat(range(len(sums)), sums) for sums in (np.sum(wide, axis=1), np.sum(wide, axis=0)))
    chi2 = stats.chi2_contingency(wide, correction=False).statistic
    found = []
    for _ in range(2000):
        drawn = np.zeros_like(wide)
        np.add.at(drawn, (dealt.permutation(rows), columns), 1)
        found.append(stats.chi2_contingency(drawn, correction=False).statistic >= chi2)
    assert association.independence_p(wide)[1] == pytest.approx(np.mean(found), abs=0.03)


def test_what_varies_by_rounding_alone_does_not_vary():
    assert all(map(math.isnan, association.hedges_g([0.1] * 10, [0.3] * 11)))
    assert association.permutation_p([0.3] * 5, [0.3] * 6) == 1
    with pytest.raises(association.DependentColumns, match="nothing to explain"):
        association.linear_model([0.3] * 6, {"x": np.arange(6.0)}, list("abcdef"))


def test_benjamini_hochberg_by_hand():
    assert list(association.benjamini_hochberg([0.01, 0.04, 0.03, 0.2])) == pytest.approx(
        [0.04, 0.16 / 3, 0.16 / 3, 0.2]
    )
    assert len(association.benjamini_hochberg([])) == 0


def test_smd_by_hand():
    assert association.smd([0, 2], [1, 3]) == pytest.approx(1 / math.sqrt(2))
    p, q = 0.3, 0.6
    expected = abs(p - q) / math.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert association.smd_shares([3, 7], [6, 4]) == pytest.approx(expected)
    assert association.smd_shares([3, 7, 0], [6, 14, 0]) == 0
    assert association.smd([5.0] * 20, [9.0] * 20) == math.inf and association.smd([0.3] * 5, [0.3] * 7) == 0
    assert association.smd_shares([50, 0], [0, 50]) == math.inf
    some = {"CR": (0, 10), "CT": (0, 10), "DX": (20, 0)}  # all DX against half CR and half CT, in whatever order
    for order in (("CR", "CT", "DX"), ("DX", "CR", "CT"), ("CT", "DX", "CR")):
        assert association.smd_shares(*zip(*(some[name] for name in order), strict=True)) == math.inf
    assert math.isnan(association.smd_shares([0, 0], [1, 1])) and math.isnan(association.smd([1], [1, 2]))


def test_a_line_is_found_exactly_and_dependent_columns_are_refused():
    x = np.arange(6.0)
    fit = association.linear_model(2 + 3 * x + np.array([0.1, -0.1, 0.1, -0.1, 0.1, -0.1]), {"x": x}, list("abcdef"))
    assert fit[1].name == "x" and fit[1].estimate.value == pytest.approx(3, abs=0.02)
    with pytest.raises(association.DependentColumns, match="leave a column out"):
        association.linear_model(x, {"x": x, "twice": 2 * x}, list("abcdef"))
    with pytest.raises(ValueError, match="at least two"):
        association.linear_model(x, {"x": x**2}, ["p"] * 6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: agreement.bland_altman([1.0], [1.0], ["a"]),
        lambda: agreement.bland_altman([1.0, 2.0], [1.0, 2.0], ["a"]),
        lambda: agreement.bland_altman([1.0, np.nan], [1, 2], ["a", "b"]),
        lambda: association.compare_groups([1.0], [1.0, 2.0]),
    ],
)
def test_too_few_or_undefined_values_are_refused(call):
    with pytest.raises(ValueError):
        call()


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 200), st.floats(0.3, 200), st.floats(0.001, 0.999))
def test_distributions_equal_scipy(a, b, level):
    special, stats = pytest.importorskip("scipy.special"), pytest.importorskip("scipy.stats")
    assert distributions.beta_share(a, b, level) == pytest.approx(special.betainc(a, b, level), abs=1e-10)
    assert distributions.gamma_tail(a, b) == pytest.approx(special.gammaincc(a, b), abs=1e-11)
    assert distributions.f_quantile(level, a + 1, b + 1) == pytest.approx(stats.f.ppf(level, a + 1, b + 1), rel=1e-8)
    upper = 0.5 + level / 2
    assert distributions.t_quantile(upper, a + 0.7) == pytest.approx(stats.t.ppf(upper, a + 0.7), rel=1e-8)
    assert distributions.t_two_sided(b / 20, a) == pytest.approx(2 * stats.t.sf(b / 20, a), abs=1e-10)
    assert distributions.chi2_tail(b, a) == pytest.approx(stats.chi2.sf(b, a), abs=1e-11)


def test_group_statistics_equal_scipy():
    stats = pytest.importorskip("scipy.stats")
    a, b = RNG.normal(1, 2, 31), RNG.normal(0, 1, 17)
    ours, theirs = association.compare_groups(a, b), stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (ours.difference.low, ours.difference.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    p = RNG.random(20) ** 2
    assert association.benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)
    table = RNG.integers(1, 30, (3, 4))
    chi2 = stats.chi2_contingency(table, correction=False)
    v, p_value = association.independence_p(table)
    assert p_value == pytest.approx(chi2.pvalue, abs=1e-9)
    assert v == pytest.approx(stats.contingency.association(table), abs=1e-9)


def test_permutation_p_is_near_scipys():
    stats = pytest.importorskip("scipy.stats")
    a, b = RNG.normal(0.5, 1, 20), RNG.normal(0, 1, 25)

    def distance(x, y):
        return abs(x.mean() - y.mean()) / math.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))

    theirs = stats.permutation_test((a, b), distance, alternative="greater", n_resamples=9999, rng=1).pvalue
    assert association.permutation_p(a, b) == pytest.approx(theirs, abs=0.04)


def test_effect_kappa_and_shares_equal_statsmodels():
    pytest.importorskip("statsmodels")
    from statsmodels.stats.inter_rater import cohens_kappa
    from statsmodels.stats.meta_analysis import effectsize_smd
    from statsmodels.stats.proportion import proportion_confint

    a, b = RNG.normal(1, 2, 31), RNG.normal(0, 1, 17)
    g, variance = effectsize_smd(a.mean(), a.std(ddof=1), 31, b.mean(), b.std(ddof=1), 17)
    ours = association.hedges_g(a, b)
    assert ours.value == pytest.approx(g, abs=1e-9)
    assert (ours.high - ours.value) / agreement.Z == pytest.approx(
        math.sqrt(variance), rel=0.02
    )  # another small-sample form
    theirs, kappa = cohens_kappa([[20, 5], [3, 30]]), agreement.cohen_kappa(20, 5, 3, 30)
    assert kappa == pytest.approx((theirs.kappa, theirs.kappa_low, theirs.kappa_upp), abs=1e-9)
    low, high = proportion_confint(7, 23, method="wilson")
    assert agreement.wilson(7, 23) == pytest.approx((7 / 23, low, high), abs=1e-9)


def test_the_linear_model_equals_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    x, z = RNG.normal(size=60), RNG.integers(0, 2, 60).astype(float)
    y = 0.5 + 0.2 * x - 0.1 * z + RNG.normal(size=60) * (1 + z)
    patients = [f"p{i // 2}" for i in range(60)]
    design = sm.add_constant(np.column_stack([x, z]))
    words = {"groups": np.arange(60) // 2}
    fit = sm.OLS(y, design).fit(cov_type="cluster", cov_kwds=words, use_t=True)
    found = association.linear_model(y, {"x": x, "z": z}, patients)
    for ours, value, bounds, p in zip(found, fit.params, fit.conf_int(), fit.pvalues, strict=True):
        assert ours.estimate == pytest.approx((value, *bounds), abs=1e-9)
        assert ours.p == pytest.approx(p, abs=1e-9)


def test_the_interval_of_the_icc_holds_the_true_one_as_often_as_it_says():
    """Films with variance 4, two readers with 0.5, errors with 1: a true ICC of 4 / 5.5 (McGraw & Wong's case 2A)."""
    rng, inside = np.random.default_rng(8), 0
    for _ in range(400):
        films, readers = 2 * rng.normal(size=12), math.sqrt(0.5) * rng.normal(size=2)
        a, b = (films + reader + rng.normal(size=12) for reader in readers)
        found = agreement.icc_2_1(a, b)
        inside += found.low <= 4 / 5.5 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [([1, 2, 3], [3, 2, 1], -3.0), ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1], -3.0), ([1, 1, 1], [2, 2, 2], 0.0)],
)
def test_an_icc_of_films_with_equal_means_has_no_interval(a, b, value):
    found = agreement.icc_2_1(a, b)
    assert found.value == pytest.approx(value) and math.isnan(found.low) and math.isnan(found.high)


def test_icc_equals_the_anova_of_statsmodels():
    pytest.importorskip("statsmodels")
    pandas = pytest.importorskip("pandas")
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    frame = pandas.DataFrame({"value": [*A, *B], "film": [*range(10), *range(10)], "reader": [0] * 10 + [1] * 10})
    table = anova_lm(ols("value ~ C(film) + C(reader)", frame).fit())
    between, reader, error = table["mean_sq"]
    expected = (between - error) / (between + error + 2 * (reader - error) / 10)
    result = agreement.icc_2_1(A, B)
    assert result.value == pytest.approx(expected, abs=1e-9) and result.low < result.value < result.high


def test_statistics_equal_values_that_scipy_and_statsmodels_once_gave():
    """For whoever has neither installed; the tests above try many more."""
    a, b = [0.42, 0.51, 0.47, 0.55, 0.60, 0.39, 0.48, 0.53, 0.44, 0.58], [0.40, 0.44, 0.49, 0.52, 0.41, 0.47, 0.43]
    found = association.compare_groups(a, b)
    assert (found.difference.low, found.difference.high) == pytest.approx((-0.01296914, 0.10411200), abs=1e-8)
    assert found.effect.value == pytest.approx(0.71630443, abs=1e-8)
    assert agreement.wilson(7, 23)[1:] == pytest.approx((0.15604024, 0.50865756), abs=1e-8)
    assert agreement.cohen_kappa(20, 5, 3, 30) == pytest.approx((0.71603427, 0.53402394, 0.89804460), abs=1e-8)
    v, p = association.independence_p([[12, 30, 8], [25, 20, 15]])
    assert (v, p) == pytest.approx((0.26720471, 0.01970447), abs=1e-8)
    quantiles = [distributions.t_quantile(0.975, df) for df in (1, 7, 30)]
    assert quantiles == pytest.approx([12.70620474, 2.36462425, 2.04227246], abs=1e-8)
    assert distributions.t_two_sided(2.5, 9) == pytest.approx(0.03386183, abs=1e-8)
    assert distributions.t_two_sided(math.inf, 9) == distributions.t_two_sided(-math.inf, 9) == 0
    assert distributions.f_quantile(0.975, 5, 9) == pytest.approx(4.48441131, abs=1e-8)


def test_a_statistic_that_is_no_number_is_never_certain():
    assert math.isnan(distributions.t_two_sided(math.nan, 5))
