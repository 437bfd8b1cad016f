"""Sentences about phantom films in two reporting styles, made from exact measurements, and their words as numbers."""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch

NONE, RIGHT, LEFT = 0, 1, 2  # the patient's sides
SIDES = {RIGHT: "right", LEFT: "left"}
ENLARGED_ABOVE = 0.5
LOWEST_CTR, HIGHEST_CTR = 0.30, 0.75
TYPICAL_CTR = {
    False: 0.45,
    True: 0.58,
}  # stands for "normal" and "enlarged" where a sentence is made up for a comparison


@dataclass(frozen=True)
class Truth:
    """What is to be said of one film. ctr: cardiothoracic ratio; effusion, opacity: NONE, RIGHT or LEFT."""

    ctr: float
    effusion: int
    opacity: int

    @property
    def enlarged(self) -> bool:
        """Whether the heart is called enlarged."""
        return self.ctr > ENLARGED_ABOVE

    def told(self) -> tuple[int, int, int]:
        """What the sentence's words say, without the number: (enlarged, effusion, opacity)."""
        return int(self.enlarged), self.effusion, self.opacity


def first_hospital(truth: Truth) -> str:
    """The wording of pre-training; it is silent on opacities, as many reports are on what they did not look for."""
    heart = "enlarged" if truth.enlarged else "normal"
    effusion = f"{SIDES[truth.effusion]} pleural effusion" if truth.effusion else "no pleural effusion"
    return f"the heart is {heart} , cardiothoracic ratio {ctr_word(truth.ctr)} . {effusion} ."


def second_hospital(truth: Truth) -> str:
    """The wording to adapt to: other words for the same things, and opacities, which are new."""
    heart = "large" if truth.enlarged else "unremarkable"
    effusion = f"fluid at the {SIDES[truth.effusion]} base" if truth.effusion else "no fluid"
    opacity = f"opacity in the {SIDES[truth.opacity]} lung" if truth.opacity else "lungs clear"
    return f"cardiac silhouette {heart} ( ctr {ctr_word(truth.ctr)} ) . {effusion} . {opacity} ."


STYLES = {"first": first_hospital, "second": second_hospital}
HINTS = ("failure", "breathless", "fever")  # in an indication: for heart, effusion, opacity


def ctr_word(ctr: float) -> str:
    """Return a ratio as its word, two decimals, held inside the vocabulary's range."""
    return f"{min(max(ctr, LOWEST_CTR), HIGHEST_CTR):.2f}"


def ctr_words() -> list[str]:
    """Return all words for ratios, in order."""
    return [f"{n / 100:.2f}" for n in range(round(100 * LOWEST_CTR), round(100 * HIGHEST_CTR) + 1)]


def indication(truth: Truth, rng: np.random.Generator, informative: float) -> str:
    """Draw the request that comes with a film. informative: 0 says nothing of the film, 1 says all, per hint.

    It is what a model can answer from without looking, and so what the blind twin lives on.
    """
    present = (truth.enlarged, truth.effusion != NONE, truth.opacity != NONE)
    hints = [hint for hint, here in zip(HINTS, present, strict=True) if rng.random() < 0.5 + informative * (here - 0.5)]
    return "indication " + (" ".join(hints) or "routine")


def _vocabulary() -> dict[str, int]:
    texts = [" ".join(HINTS) + " indication routine"]
    for style, effusion, opacity, ctr in itertools.product(STYLES.values(), range(3), range(3), (0.4, 0.6)):
        texts.append(style(Truth(ctr, effusion, opacity)))
    words = sorted({word for text in texts for word in text.split()} | set(ctr_words()))
    return {word: number for number, word in enumerate(["<pad>", *words])}


VOCABULARY = _vocabulary()
TEXT_LENGTH = 24


def encode(texts: list[str]) -> torch.Tensor:
    """Return the words' numbers, (n, TEXT_LENGTH) int64, 0 behind the end. ValueError for a word that is not known."""
    rows = torch.zeros(len(texts), TEXT_LENGTH, dtype=torch.int64)
    for row, text in zip(rows, texts, strict=True):
        unknown = [word for word in text.split() if word not in VOCABULARY]
        if unknown or len(text.split()) > TEXT_LENGTH:
            raise ValueError(f"encode: {text!r}: unknown words {unknown}; wanted at most {TEXT_LENGTH} known words")
        numbers = [VOCABULARY[word] for word in text.split()]
        row[: len(numbers)] = torch.tensor(numbers)
    return rows


def alternatives(style: str) -> dict[tuple[int, int, int], str]:
    """Return one sentence for everything that words can tell: (enlarged, effusion, opacity) -> sentence."""
    told = itertools.product(range(2), range(3), range(3))
    return {key: STYLES[style](Truth(TYPICAL_CTR[bool(key[0])], key[1], key[2])) for key in told}


def with_ctr(truth: Truth, ctr: float) -> Truth:
    """Return the same film with another ratio."""
    return replace(truth, ctr=ctr)


def word_f1(said: str, reference: str) -> float:
    """Return the overlap of two sentences' words, counted with repeats, as F1 in 0..1: a stand-in for lexical scores."""
    first, second = said.split(), reference.split()
    shared = sum(min(first.count(word), second.count(word)) for word in set(first))
    return 2 * shared / (len(first) + len(second))
