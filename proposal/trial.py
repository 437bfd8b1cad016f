"""Everything that is measured of one adapted model and its blind twin, and of the baselines that need no adaptation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from proposal.adaptation import METHODS, Method, adapt, to_batch, tokens_of
from proposal.covering import cover_evenly, cover_from_other_side, typical_filling
from proposal.films import Film
from proposal.interventions import (
    CONCEPTS,
    auroc,
    ctr_follow,
    filling_effects,
    labels,
    margins,
    mirror_effects,
    occlusion_effects,
    probe_auroc,
    retrieved_word_f1,
    stated_ctr,
    swap_effects,
)
from proposal.material import Material
from proposal.tiny_vlm import TinyVLM
from proposal.wording import STYLES, word_f1

NEIGHBOURS = 10
TYPICAL = "typical, without the finding"  # the filling that occlusions are made with
ELSEWHERE = "the same, over the irrelevant region"  # the other half of an occlusion's difference


@dataclass(frozen=True)
class Trial:
    """One model. test, external: margins per concept; swap, occlusion: effects per concept and person; numbers: the rest.

    filling: by way of covering, what it does to films without the finding, per concept and person.
    """

    test: dict[str, np.ndarray]
    external: dict[str, np.ndarray]
    swap: dict[str, np.ndarray]
    occlusion: dict[str, np.ndarray]
    filling: dict[str, dict[str, np.ndarray]]
    numbers: dict[str, float]


def measure(model: TinyVLM, material: Material, blind: bool = False) -> Trial:
    """Put all questions to one adapted model."""
    bank = [STYLES["second"](film.truth) for film in material.train]
    filling = typical_filling(material.train)
    covers = {
        TYPICAL: filling.cover_target,
        ELSEWHERE: filling.cover_irrelevant,
        "other side, mirrored": cover_from_other_side,
        "one grey": cover_evenly,
    }
    said = stated_ctr(model, material.test, blind)
    truth = np.array([film.truth.ctr for film in material.test])
    return Trial(
        margins(model, material.test, blind=blind),
        margins(model, material.external, blind=blind),
        swap_effects(model, material.variants, blind),
        occlusion_effects(model, material.variants, filling, blind),
        {name: filling_effects(model, material.variants, cover, blind) for name, cover in covers.items()},
        {
            "word_f1": retrieved_word_f1(model, material.test, bank, blind),
            "ctr_error": float(np.abs(said - truth).mean()),
            "ctr_slope": float(np.polyfit(truth, said, 1)[0]),
            "ctr_follow": ctr_follow(model, material.variants, blind),
            "mirror": float(mirror_effects(model, material.test, blind).mean()),
        },
    )


def run_trial(base: TinyVLM, method: Method, material: Material, steps: int, seed: int, blind: bool) -> Trial:
    """Adapt and measure."""
    model = adapt(base, method, to_batch(material.train, "second"), steps, seed, blind)
    return measure(model, material, blind)


def base_scores(base: TinyVLM, material: Material) -> dict[str, dict[str, np.ndarray]]:
    """Return the base's margins on the test films, asked in its own wording and in the new one."""
    return {style: margins(base, material.test, style) for style in STYLES}


def base_word_f1(base: TinyVLM, material: Material) -> float:
    """Return the base's word overlap with the second hospital's sentences when it speaks in the first one's."""
    bank = [STYLES["first"](film.truth) for film in material.train]
    return retrieved_word_f1(base, material.test, bank)


def constant_word_f1(material: Material) -> float:
    """Return the word overlap of one sentence said of every film: the training set's own that overlaps most with the others."""
    sentences = sorted({STYLES["second"](film.truth) for film in material.train})
    typical = max(sentences, key=lambda sentence: _mean_f1(sentence, material.train))
    return _mean_f1(typical, material.test)


def neighbours(base: TinyVLM, material: Material) -> dict[str, float]:
    """Return what copying from the nearest training films gives, without any adaptation: AUROC per concept and word_f1.

    Nearness is the cosine of the base encoder's tokens; a concept's score is its share among the NEIGHBOURS nearest.
    """
    known, asked = _features(base, material.train), _features(base, material.test)
    order = np.argsort(-(asked @ known.T), axis=1)
    result = {}
    for concept in CONCEPTS:
        truth = np.nan_to_num(labels(material.train, concept), nan=0.5)
        result[concept] = auroc(truth[order[:, :NEIGHBOURS]].mean(axis=1), labels(material.test, concept))
    nearest = [material.train[row[0]] for row in order]
    pairs = zip(nearest, material.test, strict=True)
    result["word_f1"] = float(
        np.mean([word_f1(STYLES["second"](a.truth), STYLES["second"](b.truth)) for a, b in pairs])
    )
    return result


def probes(model: TinyVLM, material: Material, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return (AUROC of a linear probe on the encoder's mean token, the same for random labels) per concept."""
    films = [*material.train, *material.test]
    features = tokens_of(model, to_batch(films, "second").images).mean(dim=1).numpy()
    patients = [film.patient for film in films]
    rng = np.random.default_rng(seed)
    result = {}
    for concept in ("heart", "effusion", "opacity"):
        truth = labels(films, concept)
        result[concept] = (
            probe_auroc(features, truth, patients),
            probe_auroc(features, rng.permutation(truth), patients),
        )
    return result


def _features(base: TinyVLM, films: Sequence[Film]) -> np.ndarray:
    tokens = tokens_of(base, to_batch(films, "second").images).flatten(1).numpy()
    tokens = tokens - tokens.mean(axis=0)
    return tokens / np.linalg.norm(tokens, axis=1, keepdims=True)


def _mean_f1(sentence: str, films: Sequence[Film]) -> float:
    return float(np.mean([word_f1(sentence, STYLES["second"](film.truth)) for film in films]))


def method_named(name: str) -> Method:
    """Return one of METHODS by its name."""
    return next(method for method in METHODS if method.name == name)
