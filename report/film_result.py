"""The result of one film of an evaluation: its scores, its pictures, and what can be said of it without truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.measurements import Measurement
from db.records import ImageRecord
from unet.quality import GOOD_DICE, Quality


@dataclass(frozen=True)
class FilmResult:
    """One film.

    scores: one row per structure that is drawn, as the table `score` has them. picture: the overlay, JPEG bytes. quality:
    structure to predicted quality; empty where the network's checkpoint has none. measured, measured_true: measurements of the
    predicted and the reference masks (docs/measurements.md). probabilities: structure to sums, see `pipeline.probabilities`.
    disagreement: of the lungs between test-time views, in [0, 1]; uncertainty: picture of where they disagree, JPEG.
    mask_name: of its mask files, None where none were written. remarks: how the film seems to be stored otherwise than stated.
    """

    record: ImageRecord
    scores: list[dict]
    picture: bytes
    quality: Mapping[str, Quality] = field(default_factory=dict)
    measured: tuple[Measurement, ...] = ()
    measured_true: tuple[Measurement, ...] = ()
    probabilities: Mapping[str, Any] = field(default_factory=dict)
    disagreement: float | None = None
    uncertainty: bytes | None = None
    mask_name: str | None = None
    remarks: tuple[str, ...] = ()

    @property
    def dice(self) -> dict[str, float]:
        """Dice of each structure that is drawn."""
        return {row["structure"]: row["dice"] for row in self.scores}

    @property
    def main(self) -> str:
        """The structure that films are ordered by: both lungs, or what there is."""
        known = self.dice or self.quality
        return "lungs" if "lungs" in known or not known else min(known)

    @property
    def rank(self) -> float:
        """What films are ordered by: Dice of `main`, or without truth its predicted Dice, or else 0."""
        if self.scores:
            return self.dice[self.main]
        return self.quality[self.main].predicted_dice if self.main in self.quality else 0.0

    @property
    def ratio_pred(self) -> float | None:
        """Cardiothoracic ratio of the predicted masks, None where undefined."""
        return _value(self.measured, "cardiothoracic_ratio")

    @property
    def ratio_true(self) -> float | None:
        """Cardiothoracic ratio of the reference masks, None where undefined."""
        return _value(self.measured_true, "cardiothoracic_ratio")

    @property
    def ratio_error(self) -> float | None:
        """Predicted minus reference cardiothoracic ratio, None where one of them is undefined."""
        return None if None in (self.ratio_pred, self.ratio_true) else self.ratio_pred - self.ratio_true

    def overrated(self, structure: str) -> float:
        """Predicted minus true Dice of a structure that has both: large on a failure that nothing warned of."""
        return self.quality[structure].predicted_dice - self.dice[structure]


def confident_failures(results: Sequence[FilmResult]) -> list[tuple[FilmResult, str]]:
    """Return films and structures below the good Dice that were not called doubtful, the most overrated first."""
    failed = [
        (result, structure)
        for result in results
        for structure, dice in result.dice.items()
        if dice < GOOD_DICE and structure in result.quality and not result.quality[structure].doubtful
    ]
    return confident_order(failed)


def failures_to_show(failures: Sequence[tuple[FilmResult, str]], most: int) -> list[tuple[FilmResult, str]]:
    """Return the first failures, at most `most`, but of each structure the one with the least Dice in any case."""
    worst = {}
    for result, structure in failures:
        if structure not in worst or result.dice[structure] < worst[structure][0].dice[structure]:
            worst[structure] = (result, structure)
    rest = [failure for failure in failures if failure not in worst.values()]
    return confident_order([*worst.values(), *rest][: max(most, len(worst))])


def confident_order(failures: Sequence[tuple[FilmResult, str]]) -> list[tuple[FilmResult, str]]:
    """Return failures with the most overrated first."""
    return sorted(failures, key=lambda failure: -failure[0].overrated(failure[1]))


def unjudged_failures(results: Sequence[FilmResult]) -> dict[str, tuple[int, int]]:
    """Return the structures without a predicted quality on any film: how many films are below the good Dice, and of how many."""
    judged = {structure for result in results for structure in result.quality}
    found = {}
    for result in results:
        for structure, dice in result.dice.items():
            if structure not in judged:
                failed, films = found.get(structure, (0, 0))
                found[structure] = (failed + (dice < GOOD_DICE), films + 1)
    return found


def worst_ratios(results: Sequence[FilmResult]) -> list[FilmResult]:
    """Return the films whose cardiothoracic ratio is known twice, the largest error first."""
    known = [result for result in results if result.ratio_error is not None]
    return sorted(known, key=lambda result: -abs(result.ratio_error))


def _value(measured: Iterable[Measurement], name: str) -> float | None:
    return next((measurement.value for measurement in measured if measurement.name == name), None)
