"""The protocol of proposal.md, section 7, from end to end on phantom films: `python -m proposal.protocol`, minutes on two cores.

Draws films, pre-trains a tiny image-text model at one "hospital", adapts it to another by four methods with several seeds and a
blind twin each, puts all questions, and applies the printed rules. Same settings, same numbers on the same machine.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cli.command import run
from cli.settings import parse_settings, setting, settings_as_dict
from proposal.adaptation import METHODS, trained_share
from proposal.evidence import summary
from proposal.interventions import CONCEPTS, auroc, labels
from proposal.material import Material, MaterialConfig, begun_anew, draw_material, make_base
from proposal.results import baselines_table, methods_table, verdicts_table
from proposal.tiny_vlm import TinyVLM
from proposal.trial import (
    Trial,
    base_scores,
    base_word_f1,
    constant_word_f1,
    method_named,
    neighbours,
    probes,
    run_trial,
)


@dataclass(frozen=True)
class ProtocolConfig(MaterialConfig):
    """The material, and what is done with it."""

    steps: int = setting(150, "steps of adaptation, 64 films each")
    seeds: int = setting(5, "adaptations per method, and as many blind twins")
    replicates: int = setting(1000, "bootstrap samples of patients")
    out: Path | None = setting(None, "also write all numbers into this JSON file")


def main(argv: list[str]) -> int:
    """Run the protocol and print its table."""
    config = parse_settings(ProtocolConfig, argv, __doc__)
    if config.seeds < 1:
        raise ValueError(f"--seeds {config.seeds}: wanted 1 or more")
    torch.set_num_threads(1)  # processes share the cores; threads would fight over them
    results = run_protocol(config, print)
    print("\n".join([*methods_table(results), "", *baselines_table(results), "", *verdicts_table(results)]))
    if config.out is not None:
        config.out.parent.mkdir(parents=True, exist_ok=True)
        config.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {config.out}")
    return 0


def run_protocol(config: ProtocolConfig, say: Callable[[str], None]) -> dict:
    """Return all numbers, JSON-ready; `say` is told how far it is."""
    started = time.monotonic()
    material = draw_material(config)
    base = make_base(config)
    say(f"films drawn and base trained after {time.monotonic() - started:.0f} s")
    asked = base_scores(base, material)
    results: dict = {
        "settings": settings_as_dict(replace(config, out=None)),  # the same bytes wherever they are written
        "methods": {},
        "baselines": _baselines(base, asked, material),
    }
    trials = _all_trials(base, material, config, say, started)
    for name, (real, blind) in trials.items():
        numbers = summary(real, blind, asked, material.test, material.external, config.replicates)
        numbers["trained_share"] = trained_share(base, method_named(name))
        results["methods"][name] = numbers
    # One method's twins go through the examination, against another's: rules that they passed would be worth nothing.
    (_, tried), (_, against) = trials[METHODS[-1].name], trials[METHODS[1].name]
    control = summary(tried, against, asked, material.test, material.external, config.replicates)
    results["negative_control"] = control["verdicts"]
    results["seconds"] = time.monotonic() - started
    return results


def _all_trials(
    base: TinyVLM, material: Material, config: ProtocolConfig, say: Callable[[str], None], started: float
) -> dict[str, tuple[list[Trial], list[Trial]]]:
    """Adapt and measure: {method: (real trials, blind trials)}."""
    trials = {}
    with begun_anew(config.workers) as pool:
        for method in METHODS:
            calls = [
                (base, method, material, config.steps, seed, blind)
                for blind in (False, True)
                for seed in range(config.seeds)
            ]
            done = list(pool.map(_one_trial, calls))
            trials[method.name] = (done[: config.seeds], done[config.seeds :])
            say(f"{method.name}: adapted after {time.monotonic() - started:.0f} s")
    return trials


def _one_trial(call: tuple) -> Trial:
    torch.set_num_threads(1)
    return run_trial(*call)


def _baselines(base: TinyVLM, asked: dict, material: Material) -> dict:
    own = {
        f"base, {style} wording": {
            concept: auroc(asked[style][concept], labels(material.test, concept)) for concept in CONCEPTS
        }
        for style in asked
    }
    own["base, first wording"]["word_f1"] = base_word_f1(base, material)
    return {
        **own,
        "nearest training films": neighbours(base, material),
        "one sentence for all": {"word_f1": constant_word_f1(material)},
        "probes of the base's encoder": {name: list(pair) for name, pair in probes(base, material).items()},
    }


if __name__ == "__main__":
    run(main)
