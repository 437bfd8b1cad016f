"""Choose each method's learning rate on validation films: `python -m proposal.sweep` prints what METHODS holds the best of."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from cli.command import run
from cli.settings import parse_settings, setting
from proposal.adaptation import METHODS, adapt, to_batch
from proposal.interventions import CONCEPTS, auroc, labels, margins
from proposal.material import MaterialConfig, begun_anew, draw_material, make_base


@dataclass(frozen=True)
class SweepConfig(MaterialConfig):
    """The material, and what is tried on it."""

    rates: tuple[float, ...] = setting((3e-4, 1e-3, 3e-3, 1e-2, 3e-2), "learning rates to try")
    steps: int = setting(150, "steps of adaptation, 64 films each")
    trial_seeds: tuple[int, ...] = setting((100, 101), "seeds of the adaptations; none of the protocol's")


def main(argv: list[str]) -> int:
    """Print the mean AUROC over concepts and seeds on the validation films, by method and rate."""
    config = parse_settings(SweepConfig, argv, __doc__)
    torch.set_num_threads(1)
    material, base = draw_material(config, with_validation=True), make_base(config)
    jobs = [(base, replace(method, rate=rate), material, config) for method in METHODS for rate in config.rates]
    with begun_anew(config.workers) as pool:
        for job, score in zip(jobs, pool.map(_score, jobs), strict=True):
            print(f"{job[1].name:<26}{job[1].rate:8.0e}  mean validation AUROC {score:.3f}", flush=True)
    return 0


def _score(job: tuple) -> float:
    torch.set_num_threads(1)
    base, method, material, config = job
    films, areas = material.validation, []
    for seed in config.trial_seeds:
        asked = margins(adapt(base, method, to_batch(material.train, "second"), config.steps, seed), films)
        areas += [auroc(asked[concept], labels(films, concept)) for concept in CONCEPTS]
    return float(np.mean(areas))


if __name__ == "__main__":
    run(main)
