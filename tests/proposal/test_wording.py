"""Sentences, words and indications."""

import numpy as np
import pytest

from proposal.wording import (
    LEFT,
    NONE,
    RIGHT,
    STYLES,
    TEXT_LENGTH,
    VOCABULARY,
    Truth,
    alternatives,
    encode,
    indication,
    with_ctr,
    word_f1,
)


def test_sentences_tell_the_measurements():
    truth = Truth(0.5623, RIGHT, LEFT)
    assert STYLES["first"](truth) == "the heart is enlarged , cardiothoracic ratio 0.56 . right pleural effusion ."
    assert STYLES["second"](truth) == (
        "cardiac silhouette large ( ctr 0.56 ) . fluid at the right base . opacity in the left lung ."
    )
    assert "normal" in STYLES["first"](Truth(0.5, NONE, NONE))


def test_encode_pads_and_refuses_unknown_words():
    rows = encode(["no fluid", STYLES["second"](Truth(0.44, LEFT, RIGHT))])
    assert rows.shape == (2, TEXT_LENGTH)
    assert rows[0].tolist() == [VOCABULARY["no"], VOCABULARY["fluid"]] + [0] * (TEXT_LENGTH - 2)
    with pytest.raises(ValueError, match="unknown words"):
        encode(["a nodule"])


def test_alternatives_are_all_different_and_follow_their_key():
    sentences = alternatives("second")
    assert len(set(sentences.values())) == 18
    assert (
        "large" in sentences[1, 0, 0]
        and "right base" in sentences[0, RIGHT, 0]
        and "left lung" in sentences[0, 0, LEFT]
    )


def test_with_ctr_changes_the_word_that_goes_with_the_number():
    assert "unremarkable ( ctr 0.42 )" in STYLES["second"](with_ctr(Truth(0.6, NONE, NONE), 0.42))


def test_indication_tells_all_nothing_or_something():
    ill, well = Truth(0.6, RIGHT, LEFT), Truth(0.4, NONE, NONE)
    rng = np.random.default_rng(0)
    assert indication(ill, rng, 1.0) == "indication failure breathless fever"
    assert indication(well, rng, 1.0) == "indication routine"
    hinted = [("failure" in indication(truth, rng, 0.0)) for truth in (ill, well) for _ in range(400)]
    assert abs(np.mean(hinted[:400]) - np.mean(hinted[400:])) < 0.1


def test_word_f1_by_hand():
    assert word_f1("a b b", "b b c") == pytest.approx(2 * 2 / 6)
    assert word_f1("a", "b") == 0
