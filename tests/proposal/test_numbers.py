"""proposal.md against what is computed: every marked number, every table, every figure, every reference."""

import re
from dataclasses import fields

import pytest

from proposal.numbers import (
    MARK,
    TABLE,
    TEXT,
    all_numbers,
    all_tables,
    budget_numbers,
    dataset_numbers,
    differences,
    filled,
    main,
    study_numbers,
)
from proposal.protocol import ProtocolConfig
from proposal.results import stored


@pytest.fixture(scope="module")
def text():
    return TEXT.read_text(encoding="utf-8")


def test_the_text_says_what_is_computed(text):
    assert differences(text, all_numbers(), all_tables()) == []
    assert len(MARK.findall(text)) > 60
    assert {found["name"] for found in TABLE.finditer(text)} == set(all_tables())
    assert "LESSONS" not in text and "REFS" not in text


def test_no_mark_is_overlooked(text):
    """Every comment of the text is a mark with a value before it, or a table's begin or end: a typing mistake hides nothing."""
    marks = len(MARK.findall(text)) + 2 * len(TABLE.findall(text))
    assert text.count("<!--") == marks


def test_nothing_is_computed_that_the_text_does_not_say(text):
    said = {found["name"] for found in MARK.finditer(text)}
    assert {*dataset_numbers(), *budget_numbers(), *study_numbers()} <= said


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("worth 1,415<!-- ess icc 0.1 cv 0 -->", "text 1,415, computed 1,414"),
        ("worth 1,414<!-- ess -->", "computed None"),
        ("<!-- table rules -->\n| other |\n<!-- end -->", "table rules"),
    ],
)
def test_a_wrong_number_is_found(wrong, complaint):
    assert complaint in differences(wrong, all_numbers(), all_tables())[0]


def test_filling_in_mends_numbers_and_tables():
    wrong = "**0<!-- lora GB --> GB**, (7<!-- patients -->)\n<!-- table rules -->\n<!-- end -->\n"
    right = filled(wrong, all_numbers(), all_tables())
    assert right.startswith("**18.7<!-- lora GB --> GB**, (65,379<!-- patients -->)")
    assert differences(right, all_numbers(), all_tables()) == []
    with pytest.raises(ValueError, match="nothing computes 'nonsense'"):
        filled("1<!-- nonsense -->", all_numbers(), all_tables())


def test_command_checks_the_text(capsys):
    assert main([]) == 0
    assert "agree" in capsys.readouterr().out


def test_ten_sections_after_the_summary(text):
    heads = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert heads[0].startswith("Summary") and heads[-1] == "References"
    assert [head.split(".")[0] for head in heads[1:-1]] == [str(number) for number in range(1, 11)]


def test_figures_exist(text):
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(shown) == 5
    for path in shown:
        assert (TEXT.parent / path).stat().st_size > 1000


def test_references_are_cited_and_citations_are_listed(text):
    body, listed = text.split("\n## References\n")
    numbers = {int(number) for number in re.findall(r"^(\d+)\. ", listed, flags=re.MULTILINE)}
    cited = {int(n) for group in re.findall(r"\[(\d+(?:, \d+)*)\]", body) for n in group.split(", ")}
    assert cited == numbers == set(range(1, len(numbers) + 1))


def test_stored_results_are_those_of_the_command_as_it_stands():
    defaults = {field.name: field.default for field in fields(ProtocolConfig) if field.name not in ("out", "workers")}
    assert {name: stored()["settings"][name] for name in defaults} == defaults
