"""Films through the network: what is held meanwhile."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline import evaluation
from pipeline.evaluation import READERS, Wanted, drawn_once, evaluate_films


def test_only_a_few_films_are_decoded_ahead_however_slow_the_network(monkeypatch):
    read = []
    monkeypatch.setattr(evaluation, "_load", lambda record: read.append(record) or (record, {}))
    monkeypatch.setattr(evaluation, "evaluate_film", lambda predictor, record, *rest: record.number)
    films = [SimpleNamespace(number=number) for number in range(50)]
    for done, (_, result) in enumerate(evaluate_films(None, films, Wanted(Path()))):
        assert result == done and len(read) <= done + 1 + 2 * READERS
    assert len(read) == 50


def test_a_film_too_large_for_the_memory_is_named_and_the_others_are_scored(monkeypatch):
    monkeypatch.setattr(evaluation, "_load", lambda record: (record, {}))
    errors = {1: MemoryError("Unable to allocate 9 GiB"), 2: RuntimeError("DefaultCPUAllocator: can't allocate memory")}

    def evaluate_film(predictor, record, *rest):
        if record.number in errors:
            raise errors[record.number]
        return record.number

    monkeypatch.setattr(evaluation, "evaluate_film", evaluate_film)
    films = [SimpleNamespace(number=number, path=Path("film.png")) for number in range(4)]
    results = [outcome for _, outcome in evaluate_films(None, films, Wanted(Path()))]
    assert results[0] == 0 and results[3] == 3
    assert all("too large for this machine's memory" in results[number] for number in errors)

    errors[3] = RuntimeError("shapes cannot be multiplied")  # a fault of the program is no fault of the film
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        list(evaluate_films(None, films, Wanted(Path())))


def test_one_mask_of_both_lungs_stands_for_the_single_ones_and_the_heart_is_drawn_beside_it():
    masks = dict.fromkeys(("right_lung", "left_lung", "heart"), np.ones((2, 2), bool))
    assert list(drawn_once(masks)) == ["right_lung", "left_lung", "heart"]
    assert list(drawn_once({**masks, "lungs": masks["heart"]})) == ["heart", "lungs"]
