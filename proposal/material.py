"""The films of the protocol and the base model that is adapted, drawn and trained from seeds alone."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from cli.settings import setting
from proposal.adaptation import pretrain, to_batch
from proposal.films import EXTERNAL, FIRST, SECOND, Film, draw_set, draw_variants
from proposal.tiny_vlm import TinyVLM


@dataclass(frozen=True)
class MaterialConfig:
    """How many films of which kind. Two films a person everywhere but in pre-training, so that patients matter."""

    first_people: int = setting(600, "people of the first hospital, two films each: pre-training")
    second_people: int = setting(200, "people of the second hospital, two films each: adaptation")
    validation_people: int = setting(60, "people of the second hospital, two films each: choice of the learning rate")
    test_people: int = setting(150, "people of the second hospital, two films each: test")
    external_people: int = setting(100, "people of a third hospital, two films each: never trained on")
    pair_people: int = setting(50, "people drawn once with each finding and once with none: swaps and occlusions")
    pretraining_steps: int = setting(400, "steps of pre-training, 64 films each")
    seed: int = setting(0, "seed of films and pre-training")
    workers: int = setting(2, "processes")


@dataclass(frozen=True)
class Material:
    """Films by use. validation is empty unless asked for. variants: finding -> films, see proposal.films.VARIANTS."""

    train: list[Film]
    validation: list[Film]
    test: list[Film]
    external: list[Film]
    variants: dict[str, list[Film]]


def draw_material(config: MaterialConfig, with_validation: bool = False) -> Material:
    """Draw all films but those of pre-training. Sets have seeds, and so people, of their own."""
    seed, workers = 100 * config.seed, config.workers
    return Material(
        draw_set(seed + 12, config.second_people, 2, SECOND, workers),
        draw_set(seed + 13, config.validation_people, 2, SECOND, workers) if with_validation else [],
        draw_set(seed + 14, config.test_people, 2, SECOND, workers),
        draw_set(seed + 15, config.external_people, 2, EXTERNAL, workers),
        draw_variants(seed + 16, config.pair_people, SECOND, workers),
    )


def make_base(config: MaterialConfig) -> TinyVLM:
    """Pre-train the base on the first hospital's films and wording."""
    films = draw_set(100 * config.seed + 11, config.first_people, 2, FIRST, config.workers)
    return pretrain(to_batch(films, "first"), config.pretraining_steps, config.seed)


def begun_anew(workers: int) -> ProcessPoolExecutor:
    """Return processes to train in. Forked from one that has trained they could not, on a machine with a GPU."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
