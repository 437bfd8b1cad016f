"""Predicted quality: how well a mask probably agrees with what a reader would draw, said without the reader's mask.

A ridge regression (Hoerl & Kennard 1970) from the traits of a film to the Dice, fitted on validation films as they are and
spoilt on purpose, since a good network fails on too few. The fit is a dict of plain numbers and goes into the checkpoint.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet.traits import SHAPES, TRAITS, FilmTraits

GOOD_DICE = 0.9
FALSE_ALARMS = 0.05  # share of good films that may be flagged; what that comes to elsewhere: docs/results.md
PENALTY = 1.0  # of the ridge, on standardised columns
FOLDS = 5
LEAST_PATIENTS = 5  # with fewer validation patients whose films have a structure nothing is fitted for it
SOFT = 0.01  # the target is log(1 + SOFT - dice): a step from 0.97 to 0.94 counts like one from 0.8 to 0.6
ODDEST = 6.0  # standard deviations; beyond, and where a mask is missing, a shape is as odd as this
COLUMNS = (*TRAITS, "odd_shape")


class Quality(NamedTuple):
    """predicted_dice: in [0, 1]. doubtful: it is below `alarm_limit`."""

    predicted_dice: float
    doubtful: bool


def fit_quality(
    films: Sequence[FilmTraits],
    dice: Sequence[Mapping[str, float]],
    groups: Sequence[object],
    plain: int,
) -> dict:
    """Return what `predict_quality` needs, as a dict of plain numbers and lists.

    dice: per film, structure to true Dice, only of what is drawn. groups: the patient of each film, copies included, so that the
    limit is set on predictions for patients that the fit has not seen. plain: how many films, the first ones, are as they are:
    theirs are the usual shapes, and the line is moved so that it predicts their mean loss. A structure with fewer than
    LEAST_PATIENTS patients is left out; the dict may have none.
    """
    groups = np.unique(np.asarray(groups), return_inverse=True)[1]
    as_is = np.arange(len(films)) < plain
    usual = _usual_shape(films, as_is)
    fit = {"columns": list(COLUMNS), "shapes": list(SHAPES), **usual, "structures": {}}
    for structure in films[0].own:
        drawn = np.array([structure in truth for truth in dice])
        if len(set(groups[drawn])) < LEAST_PATIENTS:
            continue
        truth = np.array([own[structure] for own in dice if structure in own])
        unseen = _unseen_losses(films, truth, structure, drawn, groups, as_is)
        good, plain_here = truth >= GOOD_DICE, as_is[drawn]
        ratio = float(np.mean(_loss(truth[plain_here])) / np.mean(unseen[plain_here])) if plain_here.any() else 1.0
        line = _ridge(_columns(usual, films, structure)[drawn], truth)
        predicted = _dice_of(unseen * ratio)
        fit["structures"][structure] = {
            **line, "intercept": line["intercept"] + float(np.log(ratio)),
            "limit": alarm_limit(predicted[good & plain_here], predicted[good]),
            "patients": len(set(groups[drawn])), "copies": len(truth), "bad": int((truth < GOOD_DICE).sum()),
        }  # fmt: skip
    return fit


def alarm_limit(plain: Sequence[float], copies: Sequence[float]) -> float:
    """Return the predicted Dice below which a film is doubtful: midway between two limits that 5 % of good films fall below.

    plain: predictions for good films as they are; at a hospital never seen many more fall below their limit. copies: for
    these and their spoilt copies; below their limit hardly any film falls at all. GOOD_DICE where there are none.
    """
    if not len(copies):
        return GOOD_DICE
    of_all = np.quantile(copies, FALSE_ALARMS)
    # of few films: not between the least two but the least one, below which one more film falls with probability 1 / (n + 1)
    of_plain = np.quantile(plain, FALSE_ALARMS, method="weibull") if len(plain) else of_all
    return float(of_plain + of_all) / 2


def predict_quality(fit: Mapping, traits: FilmTraits) -> dict[str, Quality]:
    """Return the quality of each structure that was fitted; an empty dict where nothing was."""
    found = {}
    for structure, line in fit.get("structures", {}).items():
        value = float(_dice_of(_predicted_loss(line, _columns(fit, [traits], structure)))[0])
        found[structure] = Quality(value, value < line["limit"])
    return found


def check_fit(path: Path, fit: Mapping) -> None:
    """Raise ValueError where the fit in a checkpoint was made from other columns than this release computes."""
    if fit and (fit.get("columns"), fit.get("shapes")) != (list(COLUMNS), list(SHAPES)):
        raise ValueError(
            f"checkpoint {path}: its predicted quality was fitted by another release; train it anew, or use the release it is of"
        )


def _loss(dice: np.ndarray) -> np.ndarray:
    return 1 + SOFT - dice


def _dice_of(loss: np.ndarray) -> np.ndarray:
    return np.clip(1 + SOFT - loss, 0.0, 1.0)


def _usual_shape(films: Sequence[FilmTraits], chosen: np.ndarray) -> dict:
    """Return median and spread of each shape of the chosen films; a spread that is not known is taken as 1."""
    shapes = np.array([traits.shape for traits in films])[chosen]
    known = [column[~np.isnan(column)] for column in shapes.T]
    middle = [float(np.median(column)) if len(column) else 0.0 for column in known]
    spread = [float(np.std(column)) if len(column) > 1 else 1.0 for column in known]
    return {"shape_middle": middle, "shape_spread": [max(value, 0.01) for value in spread]}


def _columns(usual: Mapping, films: Sequence[FilmTraits], structure: str) -> np.ndarray:
    """Return the regression's columns of one structure (films, COLUMNS)."""
    shapes = np.array([traits.shape for traits in films])
    apart = (shapes - np.array(usual["shape_middle"])) / np.array(usual["shape_spread"])
    apart = np.nan_to_num(np.minimum(np.abs(apart), ODDEST), nan=ODDEST)
    own = np.array([traits.own[structure] for traits in films])
    return np.column_stack([own, np.log1p(np.square(apart).mean(axis=1))])


def _ridge(x: np.ndarray, dice: np.ndarray) -> dict:
    """Fit log(1 + SOFT - dice) = intercept + weights . (x - middle) / spread by penalised least squares."""
    y = np.log(_loss(dice))
    middle, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    z = (x - middle) / spread
    weights = np.linalg.solve(z.T @ z + PENALTY * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return {
        "middle": middle.tolist(),
        "spread": spread.tolist(),
        "weights": weights.tolist(),
        "intercept": float(y.mean()),
    }


def _predicted_loss(line: Mapping, x: np.ndarray) -> np.ndarray:
    z = (x - np.array(line["middle"])) / np.array(line["spread"])
    # a trait far outside what was fitted must not throw the line anywhere
    y = line["intercept"] + np.clip(z, -ODDEST, ODDEST) @ np.array(line["weights"])
    return np.exp(np.minimum(y, 1.0))


def _unseen_losses(
    films: Sequence[FilmTraits],
    truth: np.ndarray,
    structure: str,
    drawn: np.ndarray,
    groups: np.ndarray,
    as_is: np.ndarray,
) -> np.ndarray:
    """Predict each film with the structure from a fit without its patient: neither the line nor the usual shapes know it.

    drawn, groups, as_is: of all films; truth and the result: of the drawn ones.
    """
    fold, predicted = _folds(groups, drawn), np.empty(len(truth))
    for number in np.unique(fold[drawn]):
        kept = fold != number
        x = _columns(_usual_shape(films, as_is & kept), films, structure)[drawn]
        held = ~kept[drawn]
        predicted[held] = _predicted_loss(_ridge(x[~held], truth[~held]), x[held])
    return predicted


def _folds(groups: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Deal the patients with the structure over the folds, the others behind them."""
    order = np.unique(np.concatenate([groups[drawn], groups]), return_index=True)[1].argsort().argsort()
    return order[groups] % FOLDS
