"""Comparisons and marks of de-identification, sentence by sentence."""

import pytest

from proposal.cleaning import (
    comparison_rate,
    drop_comparisons,
    drop_deidentified,
    drop_notifications,
    mentions_comparison,
    sentences,
)


def test_sentences_keep_decimal_numbers_together():
    assert sentences("The ratio is 0.56. No fluid.") == ["The ratio is 0.56.", "No fluid."]


@pytest.mark.parametrize(
    "text",
    [
        "The nodule is unchanged.", "New fluid.", "As compared with ___.", "No interval change.",
        "No significant change in the left effusion.", "The right effusion has cleared.", "Little overall change.",
        "Fluid similar in size to the last film.", "Continued bibasilar atelectasis.", "Opacity is re-demonstrated.",
        "Fluid has reaccumulated.", "Lines are as before.", "The nasogastric tube has been removed.",
        "The left effusion is worse.", "There is an increase in the left effusion.", "A decrease in lung volumes.",
        "Edema is better.", "The heart has enlarged.", "The nodule is more conspicuous.", "More extensive opacity.",
        "The tube has been repositioned.", "Essentially the same.", "No relevant change.", "There is a change in position.",
    ],
)  # fmt: skip
def test_words_of_comparison(text):
    assert mentions_comparison(text)


@pytest.mark.parametrize("text", [
    "The lungs are clear.", "A knew b.", "The stability is good.", "The heart is enlarged.",
    "Mild degenerative changes are seen in the thoracic spine.", "Emphysematous changes.", "No degenerative changes.",
    "Chronic interstitial changes are noted.", "The nodule is better seen on the lateral view.",
])  # fmt: skip
def test_words_that_only_look_like_it(text):
    assert not mentions_comparison(text)


def test_rate_counts_texts_not_sentences():
    assert comparison_rate(["New fluid. Unchanged heart.", "Clear."]) == 0.5
    with pytest.raises(ValueError, match="no texts"):
        comparison_rate([])


def test_whole_sentences_go():
    assert drop_comparisons("Clear. No new fluid. Heart normal.") == "Clear. Heart normal."
    assert drop_deidentified("Clear. Told to Dr. ___ at noon. Heart normal.") == "Clear. Heart normal."


def test_who_was_told_is_no_finding():
    told = "Clear. Findings were telephoned to the ward at 3:15 p.m. Discussed with Dr. ___ at once. Heart normal."
    assert drop_notifications(told) == "Clear. Heart normal."
    assert drop_notifications("The drain is in place.") == "The drain is in place."
