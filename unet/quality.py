"""Predicted quality: how well a mask probably agrees with what a reader would draw, estimated without the reader's mask.

A ridge regression (Hoerl & Kennard 1970) from the traits of a film to the Dice, fitted on validation films, both unchanged and
spoilt on purpose, since a good network fails on too few. The fit is a dict of plain numbers and goes into the checkpoint.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unet.traits import SHAPES, TRAITS, FilmTraits

GOOD_DICE = 0.9
FALSE_ALARMS = 0.05  # share of good films that may be flagged; the share at other hospitals: docs/results.md
PENALTY = 1.0  # of the ridge, on standardised columns
FOLDS = 5
LEAST_PATIENTS = 5  # validation patients with a structure drawn; with fewer nothing is fitted for it
SOFT = 0.01  # the target is log(1 + SOFT - dice): a step from 0.97 to 0.94 counts like one from 0.8 to 0.6
ODDEST = 6.0  # standard deviations: larger deviations, and those of missing masks, count as this
COLUMNS = (*TRAITS, "odd_shape")


class Quality(NamedTuple):
    """predicted_dice: in [0, 1]. doubtful: it is below the limit, the fit's `alarm_limit`."""

    predicted_dice: float
    doubtful: bool
    limit: float


def fit_quality(
    films: Sequence[FilmTraits],
    dice: Sequence[Mapping[str, float]],
    groups: Sequence[object],
    plain: int,
) -> dict:
    """Return what `predict_quality` needs, as a dict of plain numbers and lists.

    dice: per film, structure to true Dice, only of what is drawn. groups: the patient of each film, copies included, so that the
    limit is set on predictions for patients that the fit has not seen. plain: the number of unspoilt films, which come first:
    they define the usual shapes, and the intercept is shifted so that their mean loss is predicted. A structure with fewer than
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
    """Return the predicted Dice below which a film is doubtful: midway between the two 5 % quantiles for good films.

    plain: predictions for good unspoilt films; at an unseen hospital many more films fall below their quantile. copies: those and
    the predictions for good spoilt copies; hardly any film falls below their quantile. GOOD_DICE where copies is empty.
    """
    if not len(copies):
        return GOOD_DICE
    of_all = np.quantile(copies, FALSE_ALARMS)
    # for few films this is the least value, not one between the least two; a new film falls below it with probability 1 / (n + 1)
    of_plain = np.quantile(plain, FALSE_ALARMS, method="weibull") if len(plain) else of_all
    return float(of_plain + of_all) / 2


def predict_quality(fit: Mapping, traits: FilmTraits) -> dict[str, Quality]:
    """Return the quality of each structure that was fitted; an empty dict where nothing was."""
    found = {}
    for structure, line in fit.get("structures", {}).items():
        value = float(_dice_of(_predicted_loss(line, _columns(fit, [traits], structure)))[0])
        found[structure] = Quality(value, value < line["limit"], line["limit"])
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
    """Return median and standard deviation of each shape of the chosen films; an unknown deviation is taken as 1."""
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
    # a trait far outside the fitted range must not dominate
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
    """Predict each film's loss from a fit without its patient, who contributes neither to the line nor to the usual shapes.

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
    """Return each film's fold: the patients with the structure are dealt over the folds first, then the others."""
    order = np.unique(np.concatenate([groups[drawn], groups]), return_index=True)[1].argsort().argsort()
    return order[groups] % FOLDS
