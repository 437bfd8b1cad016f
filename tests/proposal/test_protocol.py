"""The whole protocol in its smallest setting: it runs, its numbers are in range, and nothing is claimed of nothing learnt."""

import json

import pytest

from proposal.adaptation import METHODS
from proposal.interventions import CONCEPTS
from proposal.protocol import main

SMALLEST = (
    "--first-people 6 --second-people 6 --test-people 6 --external-people 6 --pair-people 2 --pretraining-steps 2 --steps 2 "
    "--seeds 2 --replicates 100"
)


def test_protocol_end_to_end(tmp_path, capsys):
    out = tmp_path / "results" / "protocol.json"
    assert main([*SMALLEST.split(), "--out", str(out)]) == 0
    results = json.loads(out.read_text())
    assert list(results["methods"]) == [method.name for method in METHODS]
    for numbers in results["methods"].values():
        assert set(numbers["verdicts"]) == set(CONCEPTS)
        for concept in CONCEPTS:
            assert 0 <= numbers["real"][f"test {concept}"][0] <= 1
            # Two steps of training teach nothing; and what a blind twin answers does not move with the image at all.
            assert numbers["verdicts"][concept] != "learnt here"
        assert numbers["blind"]["mirror"] == [0.0, 0.0]
    assert set(results["negative_control"].values()) == {"no claim"}
    shown = capsys.readouterr().out
    assert "| full | 100.0% |" in shown and "nearest training films" in shown


@pytest.mark.parametrize("seeds", [0, -1])
def test_a_number_of_seeds_without_an_interval_is_refused_before_the_first_training(seeds):
    with pytest.raises(ValueError, match=f"--seeds {seeds}: wanted 1 or more"):
        main(["--seeds", str(seeds)])
