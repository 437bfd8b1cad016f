"""The rules: adjusted p-values by hand, and that one condition missed is a claim missed."""

import numpy as np
import pytest

from proposal.decision import RULES, Finding, finding, holm, rules_text, verdicts

MET, MISSED = Finding(0.2, 0.1, 0.3, 0.001), Finding(0.0, -0.1, 0.1, 0.5)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_finding_by_hand():
    found = finding(0.5, np.array([-1.0, 0.0, 1.0, 2.0, np.nan] + [3.0] * 14))
    assert found.p == pytest.approx(4 / 20)  # -1, 0 and NaN count as not above zero
    assert found.low < 0 < found.high
    with pytest.raises(ValueError, match="all bootstrap replicates"):
        finding(0.0, np.array([np.nan]))


def test_all_conditions_are_needed():
    all_met = {rule.name: MET for rule in RULES}
    assert verdicts({"heart": all_met}) == {"heart": "learnt here"}
    for rule in RULES[:-1]:
        assert verdicts({"heart": {**all_met, rule.name: MISSED}}) == {"heart": "no claim"}
    assert verdicts({"heart": {**all_met, RULES[-1].name: MISSED}}) == {"heart": "seen, not learnt here"}


def test_a_condition_left_out_is_an_error():
    with pytest.raises(ValueError, match="gain over the base"):
        verdicts({"heart": {rule.name: MET for rule in RULES[:-1]}})


def test_more_concepts_make_it_harder():
    weak = {rule.name: Finding(0.2, 0.01, 0.3, 0.03) for rule in RULES}
    none = {rule.name: MISSED for rule in RULES}
    assert verdicts({"a": weak})["a"] == "learnt here"
    assert verdicts({"a": weak, "b": none})["a"] == "no claim"


def test_every_rule_is_printed_with_its_source():
    for rule in RULES:
        assert rule.name in rules_text() and rule.caught in rules_text()
