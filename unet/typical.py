"""How far a film's masks are from those of the training: far ones suggest no chest film, or one in the wrong orientation.

The Mahalanobis distance (1936) of the film's signs, the few numbers of `unet.traits.film_signs`, from the training films' mean.
It depends on no layer of the network. The fit is a dict of plain numbers and goes into the checkpoint.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from unet.traits import SIGNS

LEAST_FILMS = 20  # with fewer training films nothing is fitted
PARTS = 10  # of the training films; the distances of each part are measured by a fit to the others
USUAL_SHARE = 0.97  # share of films that count as usual
MARGIN = 2.2  # how many times as far as usual a film may be: films of other hospitals lie farther, docs/results.md
SHRINKAGE = 0.3  # of the covariance towards a multiple of the identity: few films, many numbers
ODDEST = 8.0  # standard deviations: larger deviations, and those of missing masks, count as this


def fit_typical(train: Sequence[np.ndarray], val: Sequence[np.ndarray]) -> dict:
    """Return what `strangeness` needs, or, where there are too few films, only how many there are.

    train, val: signs (SIGNS,) of the films the network was trained and chosen on, NaN where a mask is missing. Both set the usual
    distance, each training film by a fit without its part: validation films alone are too few for a quantile this high.
    """
    signs = np.array([own for own in train if not np.isnan(own).any()])
    if len(signs) < LEAST_FILMS:
        return {"signs": list(SIGNS), "films": len(signs)}
    fit = _fit_distance(signs)
    distances = [strangeness(fit, own) for own in val]
    for part in range(PARTS):
        others = _fit_distance(np.delete(signs, np.s_[part::PARTS], axis=0))
        distances += [strangeness(others, own) for own in signs[part::PARTS]]
    return {**fit, "limit": MARGIN * float(np.quantile(distances, USUAL_SHARE))}


def _fit_distance(signs: np.ndarray) -> dict:
    """Fit the Mahalanobis distance to films with signs (F, SIGNS), leaving its limit at 1."""
    middle, spread = np.median(signs, axis=0), np.maximum(signs.std(axis=0), 1e-3)
    z = np.clip((signs - middle) / spread, -ODDEST, ODDEST)
    covariance = np.cov(z.T)
    level = np.trace(covariance) / len(covariance)
    precision = np.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance)))
    return {
        "signs": list(SIGNS), "films": len(signs), "middle": middle.tolist(), "spread": spread.tolist(),
        "mean": z.mean(axis=0).tolist(), "precision": precision.tolist(), "limit": 1.0,
    }  # fmt: skip


def is_fitted(fit: Mapping) -> bool:
    """Tell whether `fit_typical` had films enough, so that strange ones can be recognised."""
    return "precision" in fit


def strangeness(fit: Mapping, signs: np.ndarray) -> float | None:
    """Return how strange a film's signs (SIGNS,) are: 0 at the training's mean, above 1 the film is called strange.

    None where nothing was fitted.
    """
    if not is_fitted(fit):
        return None
    z = (signs - np.array(fit["middle"])) / np.array(fit["spread"])
    z = np.nan_to_num(np.clip(z, -ODDEST, ODDEST), nan=ODDEST) - np.array(fit["mean"])
    return float(np.sqrt(z @ np.array(fit["precision"]) @ z / len(z)) / fit["limit"])


def check_typical(path: Path, fit: Mapping) -> None:
    """Raise ValueError where the fit in a checkpoint was made from other numbers than this release computes."""
    if fit and fit.get("signs") != list(SIGNS):
        raise ValueError(
            f"checkpoint {path}: what its training's films look like was fitted by another release; train it anew, or use the "
            "release it is of"
        )
