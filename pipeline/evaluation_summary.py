"""Summary of an evaluation over all its films: the numbers of summary.json."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from db.records import MASK_STRUCTURES
from db.scores import METRIC_COLUMNS
from pipeline.predictor import Predictor
from pipeline.probabilities import summarise_calibration, summarise_thresholds
from report.film_result import FilmResult
from unet.agreement import bland_altman
from unet.quality import FALSE_ALARMS, GOOD_DICE
from unet.summary import summarise

LEAST_PAIRS = 3  # films for a correlation or limits of agreement


def summarise_results(results: Sequence[FilmResult], predictors: Sequence[Predictor], groups: Sequence[dict]) -> dict:
    """Return everything as plain numbers. groups: rows of `pipeline.groups.score_groups`."""
    rows = [
        {**row, "patient": result.record.patient_id, "source": result.record.source}
        for result in results
        for row in result.scores
    ]
    structures, by_source = {}, {}
    for structure in MASK_STRUCTURES:
        own = [row for row in rows if row["structure"] == structure]
        for source in sorted({row["source"] for row in own}):
            of_source = _column([row for row in own if row["source"] == source], "dice")
            by_source.setdefault(source, {})[structure] = of_source
        if own:
            structures[structure] = {
                **{metric: column for metric in METRIC_COLUMNS if (column := _column(own, metric)) is not None},
                "empty": dict(Counter(row["empty"] for row in own)),
            }
    films = [result.probabilities for result in results]
    return {
        "films": len(results),
        "patients": len({result.record.patient_id for result in results}),
        "without_truth": sum(not result.scores for result in results),
        "structures": structures,
        "by_source": by_source,
        "groups": [{key: value for key, value in row.items() if key not in _PER_FILM} for row in groups],
        "calibration": summarise_calibration(films),
        "thresholds": summarise_thresholds(films, predictors),
        "predicted_quality": summarise_quality(results),
        "cardiothoracic_ratio": summarise_ratio(results),
    }


_PER_FILM = ("dices", "patients_of", "images")


def summarise_quality(results: Sequence[FilmResult]) -> dict[str, dict]:
    """Return per structure how many films are doubtful and, where there is truth, how well the prediction held.

    caught: share of the films below Dice 0.9 that are called doubtful. false_alarms: share of the others that are.
    caught_at_5_percent: the share caught with a limit chosen on these films, such that 5 % of the others fall below it.
    """
    summary = {}
    for structure in MASK_STRUCTURES:
        own = [result for result in results if structure in result.quality]
        if not own:
            continue
        part = {"films": len(own), "doubtful": sum(result.quality[structure].doubtful for result in own)}
        judged = [result for result in own if structure in result.dice]
        if judged:
            true = np.array([result.dice[structure] for result in judged])
            predicted = np.array([result.quality[structure].predicted_dice for result in judged])
            doubtful = np.array([result.quality[structure].doubtful for result in judged])
            part |= {"judged": len(judged), "mean_absolute_error": float(np.abs(true - predicted).mean())}
            part["bias"] = float((predicted - true).mean())
            part |= _alarms(predicted, doubtful, true < GOOD_DICE)
            if len(judged) >= LEAST_PAIRS and true.std() > 0 and predicted.std() > 0:
                part["correlation"] = float(np.corrcoef(true, predicted)[0, 1])
                part["rank_correlation"] = float(np.corrcoef(_ranks(true), _ranks(predicted))[0, 1])
        summary[structure] = part
    return summary


def summarise_ratio(results: Sequence[FilmResult]) -> dict | None:
    """Return the error of the cardiothoracic ratio, predicted minus true, by Bland and Altman; None where no film has a true one.

    For fewer than three films with both there are only the counts, and None for each error.
    """
    pairs = [(r.ratio_pred, r.ratio_true, r.record.patient_id) for r in results if r.ratio_error is not None]
    missing = sum(result.ratio_true is not None and result.ratio_pred is None for result in results)
    if not pairs and not missing:
        return None
    counts = {"films": len(pairs), "not_predicted": missing}
    if len(pairs) < LEAST_PAIRS:
        return counts | dict.fromkeys(("bias", "lower", "upper", "sd", "mean_absolute_error"))
    found = bland_altman(*zip(*pairs, strict=True))
    bounds = {name: getattr(found, name)._asdict() for name in ("bias", "lower", "upper")}
    return {**counts, **bounds, "sd": found.sd, "mean_absolute_error": found.mae}


def _alarms(predicted: np.ndarray, doubtful: np.ndarray, bad: np.ndarray) -> dict:
    found = {"below": int(bad.sum()), "caught": None, "false_alarms": None, "caught_at_5_percent": None}
    if bad.any():
        found["caught"] = float(doubtful[bad].mean())
    if not bad.all():
        found["false_alarms"] = float(doubtful[~bad].mean())
        if bad.any():
            found["caught_at_5_percent"] = float((predicted[bad] < np.quantile(predicted[~bad], FALSE_ALARMS)).mean())
    return found


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share their mean rank."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[index]


def _column(rows: Sequence[dict], metric: str) -> dict | None:
    """Summarise one metric; distances only over the films that have them in that unit, which is what `films` counts."""
    with_metric = [row for row in rows if metric in row]
    if not with_metric:
        return None
    summary = summarise([row[metric] for row in with_metric], [row["patient"] for row in with_metric], GOOD_DICE)
    if summary is None:
        return None
    defined = [row["patient"] for row in with_metric if row[metric] is not None and not math.isnan(row[metric])]
    values = {"films": summary.films, "patients": len(set(defined)), "undefined": summary.undefined,
              "mean": summary.mean.value, "low": summary.mean.low,
              "high": summary.mean.high, "median": summary.median, "p5": summary.p5, "p95": summary.p95,
              "least": summary.least, "most": summary.most,
              "empty": sum(row["empty"] != "none" for row in with_metric)}  # fmt: skip
    return {**values, "below": summary.below} if metric == "dice" else values
