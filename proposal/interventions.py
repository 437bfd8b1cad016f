"""Questions put to an adapted model, and what changes when the film is taken away, exchanged, covered or mirrored.

A model is asked by comparison: of two sentences that differ in one concept, which lies closer to the film? The margin between
them is the answer; sentences take everything else from the film's truth.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from proposal.adaptation import to_batch, tokens_of
from proposal.covering import Cover, TypicalFilling
from proposal.films import Film, mirror
from proposal.tiny_vlm import TinyVLM
from proposal.wording import LEFT, NONE, RIGHT, STYLES, alternatives, ctr_words, encode, with_ctr, word_f1

CONCEPTS = ("heart", "effusion", "side", "opacity")


@torch.no_grad()
def film_places(model: TinyVLM, films: Sequence[Film], blind: bool) -> torch.Tensor:
    """Return where the model puts films with their indications: (n, width)."""
    batch = to_batch(films, "second")
    return model.film_places(tokens_of(model, batch.images, blind), batch.indications)


@torch.no_grad()
def closeness(model: TinyVLM, films: Sequence[Film], sentences: list[str], blind: bool) -> np.ndarray:
    """Return the cosine of every film with every sentence: (n films, n sentences)."""
    return (film_places(model, films, blind) @ model.text_places(encode(sentences)).T).numpy()


def margins(model: TinyVLM, films: Sequence[Film], style: str = "second", blind: bool = False) -> dict[str, np.ndarray]:
    """Return for each concept how much closer the sentence with it is than the one without, (n,) each.

    heart: enlarged over normal; effusion, opacity: the better of both sides over none; side: right over left effusion.
    """
    sentences = alternatives(style)
    near = closeness(model, films, list(sentences.values()), blind)
    column = {told: number for number, told in enumerate(sentences)}
    rows: dict[str, list[float]] = {concept: [] for concept in CONCEPTS}
    for film, row in zip(films, near, strict=True):
        heart, fluid, cloud = film.truth.told()
        effusions = [row[column[heart, side, cloud]] for side in (NONE, RIGHT, LEFT)]
        opacities = [row[column[heart, fluid, side]] for side in (NONE, RIGHT, LEFT)]
        rows["heart"].append(row[column[1, fluid, cloud]] - row[column[0, fluid, cloud]])
        rows["effusion"].append(max(effusions[1:]) - effusions[0])
        rows["side"].append(effusions[1] - effusions[2])
        rows["opacity"].append(max(opacities[1:]) - opacities[0])
    return {concept: np.array(values) for concept, values in rows.items()}


def labels(films: Sequence[Film], concept: str) -> np.ndarray:
    """Return 1 where the concept is there, 0 where not, NaN where it cannot be asked (the side of no effusion): (n,)."""
    values = {
        "heart": lambda truth: float(truth.enlarged),
        "effusion": lambda truth: float(truth.effusion != NONE),
        "side": lambda truth: float(truth.effusion == RIGHT) if truth.effusion else float("nan"),
        "opacity": lambda truth: float(truth.opacity != NONE),
    }
    return np.array([values[concept](film.truth) for film in films])


def auroc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the chance that a film with the concept scores above one without; ties count half. NaN truths are left out.

    NaN where one of the two kinds is missing. Computed from ranks (Hanley and McNeil 1982).
    """
    asked = ~np.isnan(truth)
    scores, positive = scores[asked], truth[asked] > 0.5
    n_positive = int(positive.sum())
    n_negative = len(scores) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def swap_effects(model: TinyVLM, variants: dict[str, list[Film]], blind: bool = False) -> dict[str, np.ndarray]:
    """Exchange the image, keep the indication: how much the margin rises from the film without to the film with a concept.

    Returns (people,) per concept; a model that follows the image has values above 0, a blind one has exactly 0. The sentences
    compared are the same for both films of a pair.
    """
    pairs = {"heart": ("heart", "nothing"), "effusion": ("effusion", "nothing"), "side": ("effusion", "other side"),
             "opacity": ("opacity", "nothing")}  # fmt: skip
    effects = {}
    for concept, (with_it, without) in pairs.items():
        with_films = variants[with_it]
        without_films = [
            replace(film, indication=other.indication, truth=other.truth)
            for film, other in zip(variants[without], with_films, strict=True)
        ]
        effects[concept] = (
            margins(model, with_films, blind=blind)[concept] - margins(model, without_films, blind=blind)[concept]
        )
    return effects


def mirror_effects(model: TinyVLM, films: Sequence[Film], blind: bool = False) -> np.ndarray:
    """Mirror films with an effusion: 1 where the preferred side turns with the image, 0 where it stays."""
    shown = [film for film in films if film.truth.effusion]
    before = margins(model, shown, blind=blind)["side"]
    after = margins(model, [mirror(film) for film in shown], blind=blind)["side"]
    return (np.sign(before) != np.sign(after)).astype(float)


def occlusion_effects(
    model: TinyVLM, variants: dict[str, list[Film]], filling: TypicalFilling, blind: bool = False
) -> dict[str, np.ndarray]:
    """Cover the target region, and a region as large elsewhere: how much more the margin falls for the target, (people,) each."""
    shown = {
        "heart": variants["heart"],
        "effusion": variants["effusion"],
        "side": variants["effusion"],
        "opacity": variants["opacity"],
    }
    effects = {}
    for concept, films in shown.items():
        whole = margins(model, films, blind=blind)[concept]
        target = margins(model, [filling.cover_target(film, concept) for film in films], blind=blind)[concept]
        other = margins(model, [filling.cover_irrelevant(film, concept) for film in films], blind=blind)[concept]
        effects[concept] = (whole - target) - (whole - other)
    return effects


def filling_effects(
    model: TinyVLM, variants: dict[str, list[Film]], cover: Cover, blind: bool = False
) -> dict[str, np.ndarray]:
    """Cover the target region of a film *without* the finding: how much the margin rises, (people,) each; 0 is right.

    What rises is not the finding but the filling, and an occlusion measured with it says little.
    """
    effects = {}
    for concept in CONCEPTS:
        found = variants["effusion" if concept == "side" else concept]
        # the person's film with the finding says where it would be, and which sentences are compared
        clean = [
            replace(film, truth=other.truth, indication=other.indication)
            for film, other in zip(variants["nothing"], found, strict=True)
        ]
        covered = [cover(film, concept) for film in clean]
        effects[concept] = margins(model, covered, blind=blind)[concept] - margins(model, clean, blind=blind)[concept]
    return effects


@torch.no_grad()
def stated_ctr(model: TinyVLM, films: Sequence[Film], blind: bool = False) -> np.ndarray:
    """Return the ratio whose sentence lies closest: (n,). A number that can be checked.

    The heart's word follows the number, so the true word gives nothing away; effusion and opacity are as they are.
    """
    words = ctr_words()
    places = film_places(model, films, blind)
    stated = np.empty(len(films))
    others = [(film.truth.effusion, film.truth.opacity) for film in films]
    for told in set(others):
        rows = [number for number, other in enumerate(others) if other == told]
        sentences = [STYLES["second"](with_ctr(films[rows[0]].truth, float(word))) for word in words]
        near = places[rows] @ model.text_places(encode(sentences)).T
        stated[rows] = [float(words[choice]) for choice in near.argmax(dim=1)]
    return stated


def ctr_follow(model: TinyVLM, variants: dict[str, list[Film]], blind: bool = False) -> float:
    """Return how far the stated ratio moves per true change when a person's heart alone is enlarged: 1 is right, 0 blind."""
    large = variants["heart"]
    small = [
        replace(film, indication=other.indication) for film, other in zip(variants["nothing"], large, strict=True)
    ]  # fmt: skip
    moved = stated_ctr(model, large, blind) - stated_ctr(model, small, blind)
    true = [a.truth.ctr - b.truth.ctr for a, b in zip(large, small, strict=True)]
    return float(moved.sum() / sum(true))


def retrieved_word_f1(model: TinyVLM, films: Sequence[Film], bank: Sequence[str], blind: bool = False) -> float:
    """Return the mean word overlap of the closest sentence of a bank with the film's own: a lexical report score, 0..1."""
    sentences = sorted(set(bank))
    best = closeness(model, films, sentences, blind).argmax(axis=1)
    scores = [
        word_f1(sentences[choice], STYLES["second"](film.truth)) for choice, film in zip(best, films, strict=True)
    ]
    return float(np.mean(scores))


def probe_auroc(features: np.ndarray, truth: np.ndarray, patients: Sequence[str], ridge: float = 10.0) -> float:
    """Return how well a linear probe reads a concept: AUROC on every second patient of ridge regression on the others.

    features: (n, d); truth: (n,) 0 or 1. Called with shuffled labels it is a check for leakage between the halves: about 0.5, as
    nothing recurs in them that could be learnt by heart, so it says nothing of a probe's capacity.
    """
    order = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    held_out = np.array([order[patient] % 2 == 1 for patient in patients])
    mean, spread = features[~held_out].mean(axis=0), features[~held_out].std(axis=0) + 1e-6
    x = (features - mean) / spread
    a, b = x[~held_out], truth[~held_out] - truth[~held_out].mean()
    weights = np.linalg.solve(a.T @ a + ridge * np.eye(a.shape[1]), a.T @ b)
    return auroc(x[held_out] @ weights, truth[held_out])
