"""The questions, put to an oracle that reads painted films, which must pass, and to one without eyes, which must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from proposal.covering import typical_filling
from proposal.decision import verdicts
from proposal.evidence import filling_share, findings, mean_and_half_width
from proposal.films import Film, target_box
from proposal.interventions import (
    CONCEPTS,
    auroc,
    filling_effects,
    labels,
    margins,
    mirror_effects,
    occlusion_effects,
    probe_auroc,
    retrieved_word_f1,
    swap_effects,
)
from proposal.trial import ELSEWHERE, TYPICAL, Trial
from proposal.wording import LEFT, NONE, RIGHT, STYLES, Truth, alternatives, encode

LUNGS, HEART = (8, 48, 8, 56), (26, 48, 24, 40)


def paint(told, patient="p", number=0):
    """A film whose target boxes are bright where something is there; the oracle reads the middle of each box."""
    heart, effusion, opacity = told
    image = np.full((64, 64), 60, np.uint8)
    film = Film(image, patient, Truth(0.58 if heart else 0.45, effusion, opacity), "indication routine", LUNGS, HEART)
    for spot, here in zip(
        spots(), (heart, effusion == RIGHT, effusion == LEFT, opacity == RIGHT, opacity == LEFT), strict=True
    ):
        if here:
            image[spot[0] - 1 : spot[0] + 2, spot[1] - 1 : spot[1] + 2] = 250
    image[63, 63] = number  # films of one kind are not all the same
    return film


def spots():
    """Middle of the heart's box, of the fluid's on both sides; a place in the upper lungs for opacities."""
    probe = Film(np.zeros((64, 64), np.uint8), "", Truth(0.5, RIGHT, RIGHT), "", LUNGS, HEART)
    boxes = [target_box(probe, "heart"), target_box(probe, "effusion")]
    boxes.append(target_box(replace(probe, truth=Truth(0.5, LEFT, NONE)), "effusion"))
    middles = [((a + b) // 2, (c + d) // 2) for a, b, c, d in boxes]
    return [(middles[0][0] - 8, 32), (middles[1][0] + 4, 12), (middles[2][0] + 4, 51), (14, 20), (14, 43)]


class Oracle:
    """Reads the spots and lies exactly on the sentence that is true; with dim=0 it is as blind as a stone."""

    def __init__(self, dim=1.0):
        self.dim = dim
        self.told_of = {tuple(encode([text])[0].tolist()): told for told, text in alternatives("second").items()}

    def encoder(self, images):
        bright = torch.stack([images[:, 0, y, x] > 0.6 for y, x in spots()], dim=1).float()
        return bright.unsqueeze(1)

    def film_places(self, tokens, indications):
        heart, fluid_r, fluid_l, cloud_r, cloud_l = (self.dim * tokens[:, 0]).T
        parts = [1 - heart, heart, 1 - fluid_r - fluid_l, fluid_r, fluid_l, 1 - cloud_r - cloud_l, cloud_r, cloud_l]
        return torch.stack(parts, dim=1) / 3**0.5

    def text_places(self, sentences):
        rows = []
        for sentence in sentences:
            heart, effusion, opacity = self.told_of[tuple(sentence.tolist())]
            row = torch.zeros(8)
            row[[heart, 2 + effusion, 5 + opacity]] = 1 / 3**0.5
            rows.append(row)
        return torch.stack(rows)


TOLD = [
    (heart, effusion, opacity)
    for heart in (0, 1)
    for effusion in (NONE, RIGHT, LEFT)
    for opacity in (NONE, RIGHT, LEFT)
]
FILMS = [paint(told, patient=f"p{number % 12}", number=number) for number, told in enumerate(TOLD * 2)]
VARIANTS = {
    "nothing": [paint((0, NONE, NONE), number=n) for n in range(6)],
    "heart": [paint((1, NONE, NONE), number=n) for n in range(6)],
    "effusion": [paint((0, RIGHT, NONE), number=n) for n in range(6)],
    "other side": [paint((0, LEFT, NONE), number=n) for n in range(6)],
    "opacity": [paint((0, NONE, RIGHT), number=n) for n in range(6)],
}


def paint_finding(film, concept):
    """The worst filling: it looks like what it covers."""
    told = {"heart": (1, NONE, NONE), "opacity": (0, NONE, RIGHT)}.get(concept, (0, RIGHT, NONE))
    return replace(film, image=paint(told).image)


FILLING = typical_filling(FILMS)


def trial(model, blind=False, cover=FILLING.cover_target, elsewhere=FILLING.cover_irrelevant):
    asked = margins(model, FILMS, blind=blind)
    swapped, covered = swap_effects(model, VARIANTS, blind), occlusion_effects(model, VARIANTS, FILLING, blind)
    covers = {TYPICAL: cover, ELSEWHERE: elsewhere}
    filling = {name: filling_effects(model, VARIANTS, way, blind) for name, way in covers.items()}
    return Trial(asked, asked, swapped, covered, filling, {})


def test_auroc_by_hand():
    assert auroc(np.array([3.0, 1.0, 2.0]), np.array([1.0, 0.0, 0.0])) == 1.0
    assert auroc(np.array([1.0, 1.0, 2.0, 0.0]), np.array([1.0, 0.0, 0.0, 1.0])) == pytest.approx(0.5 / 4)
    assert auroc(np.array([5.0, 1.0, 9.0]), np.array([1.0, 0.0, np.nan])) == 1.0
    assert np.isnan(auroc(np.array([1.0]), np.array([1.0])))


def test_auroc_equals_counting_pairs():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 5, 40).astype(float), (rng.random(40) < 0.4).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[truth == 1] for b in scores[truth == 0]]
    assert auroc(scores, truth) == pytest.approx(np.mean(pairs))


def test_the_oracle_knows_everything_and_the_stone_nothing():
    for concept in CONCEPTS:
        truth = labels(FILMS, concept)
        assert auroc(margins(Oracle(), FILMS)[concept], truth) == 1.0
        assert auroc(margins(Oracle(dim=0.0), FILMS)[concept], truth) == 0.5


def test_side_is_asked_of_effusions_alone():
    assert np.isnan(labels([paint((1, NONE, RIGHT))], "side")).all()
    assert labels([paint((0, RIGHT, NONE)), paint((0, LEFT, NONE))], "side").tolist() == [1.0, 0.0]


def test_swap_and_occlusion_by_hand():
    swap, covered = swap_effects(Oracle(), VARIANTS), occlusion_effects(Oracle(), VARIANTS, FILLING)
    for concept in CONCEPTS:
        # A cosine rises from -1/3 to 1/3 with the finding; covering the finding takes the same away again, the irrelevant
        # box nothing; a covered effusion has no side.
        assert swap[concept] == pytest.approx(np.full(6, 2 / 3), abs=1e-6)
        expected = 1 / 3 if concept == "side" else 2 / 3
        assert covered[concept] == pytest.approx(np.full(6, expected), abs=1e-6)


def test_a_filling_is_tried_on_films_without_the_finding():
    clean = filling_effects(Oracle(), VARIANTS, FILLING.cover_target)
    fooled = filling_effects(Oracle(), VARIANTS, paint_finding)
    for concept in CONCEPTS:
        assert clean[concept] == pytest.approx(np.zeros(6), abs=1e-6)
        # a side has no margin without fluid, 1/3 with it; elsewhere a cosine rises from -1/3 to 1/3
        assert fooled[concept] == pytest.approx(np.full(6, 1 / 3 if concept == "side" else 2 / 3), abs=1e-6)
    assert filling_share([trial(Oracle())], TYPICAL, "opacity") == pytest.approx(0)
    fooled = [trial(Oracle(), cover=paint_finding)]  # what is put there is the finding, so its share is 1
    assert [filling_share(fooled, TYPICAL, concept) for concept in CONCEPTS] == pytest.approx([1] * 4)
    assert filling_share([trial(Oracle(dim=0.0))], TYPICAL, "opacity") == float("inf")


def test_nothing_is_claimed_from_an_occlusion_whose_filling_looks_like_the_finding():
    base = {"first": trial(Oracle(dim=0.0)).test}
    fooled_elsewhere = trial(Oracle(), elsewhere=paint_finding)
    good, lowering = trial(Oracle()), trial(Oracle())  # what lowers the answer over the target inflates the effect
    lowering.filling[TYPICAL].update({concept: np.full(6, -0.2) for concept in CONCEPTS})
    fooled = trial(Oracle(), cover=paint_finding)
    for one, verdict in ((good, "learnt here"), *((bad, "no claim") for bad in (fooled, fooled_elsewhere, lowering))):
        seeing = [one] * 2
        tried = findings(seeing, [trial(Oracle(dim=0.0))] * 2, base, FILMS, FILMS, replicates=200)
        assert set(verdicts(tried).values()) == {verdict}


def test_mirror_turns_the_oracles_answer():
    # Spots lie symmetrically, so that a mirrored right effusion is read as a left one.
    assert spots()[1][1] + spots()[2][1] == 63
    assert mirror_effects(Oracle(), VARIANTS["effusion"]).tolist() == [1.0] * 6
    assert mirror_effects(Oracle(dim=0.0), VARIANTS["effusion"]).tolist() == [0.0] * 6


def test_positive_control_passes_and_negative_control_fails():
    seeing, stone = [trial(Oracle())] * 2, [trial(Oracle(dim=0.0))] * 2
    base = {"first": stone[0].test, "second": stone[0].test}
    tried = findings(seeing, stone, base, FILMS, FILMS, replicates=200)
    assert set(verdicts(tried).values()) == {"learnt here"}
    known_before = {"first": seeing[0].test, "second": stone[0].test}
    assert set(verdicts(findings(seeing, stone, known_before, FILMS, FILMS, 200)).values()) == {"seen, not learnt here"}
    assert set(verdicts(findings(stone, stone, base, FILMS, FILMS, 200)).values()) == {"no claim"}


def test_retrieval_finds_the_true_sentence():
    bank = list(alternatives("second").values())
    assert retrieved_word_f1(Oracle(), FILMS, bank) == 1.0
    assert retrieved_word_f1(Oracle(), FILMS, [STYLES["second"](Truth(0.45, NONE, NONE))]) < 0.9


def test_probe_reads_what_is_there_and_not_random_labels():
    rng = np.random.default_rng(0)
    truth = (rng.random(400) < 0.5).astype(float)
    features = np.column_stack([truth + 0.3 * rng.normal(size=400), rng.normal(size=(400, 5))])
    patients = [f"p{n // 2}" for n in range(400)]
    assert probe_auroc(features, truth, patients) > 0.95
    assert abs(probe_auroc(features, rng.permutation(truth), patients) - 0.5) < 0.12


def test_mean_and_half_width_by_hand():
    # 1, 2, 3: deviation 1, t(2) 4.303, 4.303 / sqrt(3) = 2.484
    assert mean_and_half_width([1.0, 2.0, 3.0]) == pytest.approx((2.0, 2.484), abs=1e-3)
    assert np.isnan(mean_and_half_width([1.0])[1])
    with pytest.raises(ValueError, match="no seeds"):
        mean_and_half_width([])
