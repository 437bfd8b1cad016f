"""Films through the network: what is held meanwhile."""

from pathlib import Path
from types import SimpleNamespace

from pipeline import evaluation
from pipeline.evaluation import READERS, Wanted, evaluate_films


def test_only_a_few_films_are_decoded_ahead_however_slow_the_network(monkeypatch):
    read = []
    monkeypatch.setattr(evaluation, "_load", lambda record: read.append(record) or (record, {}))
    monkeypatch.setattr(evaluation, "evaluate_film", lambda predictor, record, *rest: record.number)
    films = [SimpleNamespace(number=number) for number in range(50)]
    for done, (_, result) in enumerate(evaluate_films(None, films, Wanted(Path()))):
        assert result == done and len(read) <= done + 1 + 2 * READERS
    assert len(read) == 50
