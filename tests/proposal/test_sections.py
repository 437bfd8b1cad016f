"""The traps of proposal.md, section 2, on invented reports; expected sections are typed by hand."""

import numpy as np
import pytest

from proposal.invented import LAYOUTS, invented_report
from proposal.sections import canonical_name, count_exclusions, findings_target, parse_report, section_text

TITLE = "                                 FINAL REPORT\n"


def texts(report):
    return [(section.name, section.text) for section in parse_report(report)]


def test_plain_report_with_wrapped_lines():
    report = TITLE + (
        " EXAMINATION:  CHEST (PA AND LAT)\n \n INDICATION:  ___F with a made-up cough // any fluid?\n \n"
        " TECHNIQUE:  Two views.\n \n COMPARISON:  None.\n \n FINDINGS: \n \n The left angle is\n blunt.  The rest is dark.\n \n"
        " IMPRESSION: \n \n Some fluid.\n"
    )
    assert texts(report) == [
        ("examination", "CHEST (PA AND LAT)"),
        ("indication", "___F with a made-up cough // any fluid?"),
        ("technique", "Two views."),
        ("comparison", "None."),
        ("findings", "The left angle is blunt. The rest is dark."),
        ("impression", "Some fluid."),
    ]


def test_line_numbers_count_from_one():
    assert [section.line for section in parse_report(" FINDINGS: a.\n \n IMPRESSION: b.\n")] == [1, 3]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Findings", "findings"),
        ("NDICATION", "indication"),
        ("IMPRESION", "impression"),
        ("REASON FOR CHEST RADIOGRAPH", "indication"),
        ("Reason for exam", "indication"),
        ("CHEST, 2 VIEWS", "title"),
        ("PORTABLE CHEST", "title"),
        ("CHEST (PA AND LAT)", "title"),
        ("FINDINGS AND IMPRESSION", "findings_and_impression"),
        ("FINDINGS/IMPRESSION", "findings_and_impression"),
        ("IMPRESSION & FINDINGS", "findings_and_impression"),
        ("CLINICAL HISTORY", "history"),
        ("RECOMMENDATION(S)", "notification"),
        ("Comparison is made with a film from", None),
        ("Findings were told to the nurse at", None),
        ("LUNGS", None),
        ("PA AND LATERAL", None),
        ("at 3", None),
    ],
)
def test_canonical_name(header, name):
    assert canonical_name(header) == name


def test_mixed_case_header():
    assert texts(" Findings: Clear.\n Impression: Fine.\n") == [("findings", "Clear."), ("impression", "Fine.")]


@pytest.mark.parametrize("inline", [" FINDINGS\n \n Clear.\n", " FINDINGS Clear.\n", " Findings\n Clear.\n"])
def test_missing_colon(inline):
    assert texts(inline + " IMPRESSION Fine.\n") == [("findings", "Clear."), ("impression", "Fine.")]


def test_a_wrapped_sentence_is_no_header():
    report = " FINDINGS: There are none of the\n Impression\n that was feared, and no\n comparison.\n"
    assert [name for name, _ in texts(report)] == ["findings"]


def test_a_line_that_goes_on_in_small_letters_has_no_header():
    report = " FINDINGS: Compared with the prior\n study: the heart is large. No fluid.\n IMPRESSION: Fine.\n"
    assert texts(report)[0] == ("findings", "Compared with the prior study: the heart is large. No fluid.")


def test_title_with_a_digit_holds_the_findings_only_where_no_findings_header_stands():
    assert texts(" CHEST, 2 VIEWS: Clear.\n IMPRESSION: Fine.\n")[0] == ("findings", "Clear.")
    both = " CHEST, 2 VIEWS: Made-up date.\n FINDINGS: Clear.\n"
    assert texts(both) == [("examination", "Made-up date."), ("findings", "Clear.")]


def test_a_title_inside_findings_or_an_impression_is_a_subheading():
    inside = " FINDINGS:\n PORTABLE CHEST: Clear.\n Heart small.\n IMPRESSION:\n AP CHEST: Fine.\n"
    assert texts(inside) == [("findings", "PORTABLE CHEST: Clear. Heart small."), ("impression", "AP CHEST: Fine.")]
    # and never makes an impression the target of a report that has no findings
    assert findings_target(" IMPRESSION:\n AP CHEST:\n Clear.\n").exclusion == "no findings section"


def test_a_time_of_day_makes_no_header():
    report = " AP CHEST, 8:35 A.M. ON ___:\n \n HISTORY: Made-up cough.\n \n IMPRESSION:1. Fine.\n"
    assert texts(report)[1:] == [("history", "Made-up cough."), ("impression", "1. Fine.")]
    assert findings_target(report).exclusion == "no findings section"


def test_an_ordinary_word_before_a_colon_inside_findings_opens_no_section():
    for word in ("Note", "Study", "Procedure"):
        report = f" FINDINGS:  Clear.\n {word}: The tube ends high.\n Effusion left.\n IMPRESSION: x\n"
        assert findings_target(report).text == f"Clear. {word}: The tube ends high. Effusion left."
    assert texts(" FINDINGS: Clear.\n NOTE: Told.\n") == [("findings", "Clear."), ("notification", "Told.")]
    assert texts(" Study: Chest.\n FINDINGS: Clear.\n")[0] == ("examination", "Chest.")


def test_two_titles_are_two_findings_blocks():
    assert "two findings blocks" in findings_target(" PA CHEST: One film.\n AP CHEST: Another.\n").exclusion


def test_who_was_told_at_what_time_opens_no_section():
    report = " FINDINGS: Clear.\n Findings were told to the ward at 3:15.\n NOTIFICATION: Told again: at 4.\n"
    assert texts(report) == [
        ("findings", "Clear. Findings were told to the ward at 3:15."),
        ("notification", "Told again: at 4."),
    ]


def test_empty_findings_do_not_swallow_the_impression():
    report = " FINDINGS:\n IMPRESSION: Fine.\n"
    assert texts(report) == [("findings", ""), ("impression", "Fine.")]
    assert findings_target(report).exclusion == "findings section is empty"


def test_both_findings_blocks_are_kept_and_the_report_is_left_out():
    report = " FINDINGS: First film.\n FINDINGS: Second film.\n"
    assert section_text(parse_report(report), "findings") == "First film. Second film."
    assert findings_target(report).text is None
    assert "two findings blocks" in findings_target(report).exclusion


def test_the_typo_does_not_make_the_indication_a_label():
    report = " NDICATION: made-up cough.\n IMPRESSION: Fine.\n"
    assert texts(report) == [("indication", "made-up cough."), ("impression", "Fine.")]


def test_reason_for_chest_radiograph_is_no_finding():
    report = " REASON FOR CHEST RADIOGRAPH: made-up cough.\n FINDINGS: Clear.\n"
    assert findings_target(report).text == "Clear."


def test_subheadings_stay_in_their_section():
    report = " FINDINGS:\n LUNGS: Clear.\n HEART: Small.\n IMPRESSION: Fine.\n"
    assert texts(report)[0] == ("findings", "LUNGS: Clear. HEART: Small.")


def test_wet_read_is_kept_apart_from_the_final_reading():
    report = (
        " WET READ: ___ 4:15 PM\n FINDINGS: Early word.\n ____________________\n" + TITLE + " FINDINGS: Last word.\n"
    )
    assert findings_target(report).text == "Last word."
    assert texts(report)[0] == ("wet_read", "___ 4:15 PM FINDINGS: Early word.")


def test_addendum_at_the_end_is_kept_apart():
    report = TITLE + " FINDINGS: Clear.\n IMPRESSION: Fine.\n ADDENDUM: IMPRESSION: Not so fine.\n"
    assert texts(report) == [("findings", "Clear."), ("impression", "Fine."), ("addendum", "IMPRESSION: Not so fine.")]


def test_text_without_headers_is_the_preamble():
    assert texts("Nothing but prose.\n") == [("preamble", "Nothing but prose.")]
    assert findings_target("Nothing but prose.\n").exclusion == "no findings section"


def test_exclusions_add_up_over_all_layouts():
    rng = np.random.default_rng(0)
    counts = count_exclusions(findings_target(invented_report(layout, rng)) for layout in LAYOUTS)
    assert sum(counts.values()) == len(LAYOUTS)
    assert counts["usable"] == 7
    assert len(counts) == 5


def test_an_addendum_on_top_ends_at_its_rule():
    report = (
        " ADDENDUM  The drain was told of by phone.\n FINDINGS: not these.\n ______________________________________\n"
    )
    report += TITLE + " FINDINGS: Clear.\n IMPRESSION: Fine.\n"
    assert findings_target(report).text == "Clear."
    without_title = report.replace(TITLE, "")
    assert findings_target(without_title).text == "Clear."
    wet = without_title.replace("ADDENDUM ", "WET READ:")  # a preliminary reading ends with the final report alone
    assert findings_target(wet).exclusion == "no findings section"
