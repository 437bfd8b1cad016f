"""What two films of one patient have in common, written down and printed: `predict.py --compare`."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from data.reasons import as_utf8, one_line
from pipeline.compare_films import Change, FilmComparison, compare_films
from pipeline.film_spacing import AS_STATED, SpacingSource
from pipeline.predictor import Predictor
from report.film_comparison import NOT_JUDGED, RATIO_CHANGES, comparison_picture, write_comparison
from report.known_errors import RATIO_CHANGE, UNJUDGED
from report.run_folder import check_command

GOOD_OVERLAP = 0.9  # Dice of the lungs; below, the difference of grey levels is mostly that of the outlines


def write_films_comparison(
    films: Sequence[Path], predictor: Predictor, photometric: str, out: Path, spacing: SpacingSource = AS_STATED
) -> None:
    """Compare two films and write table, picture and page; print the same in a few lines."""
    if len(films) != 2 or any(film.is_dir() for film in films):
        raise ValueError(f"--compare takes two films, BEFORE and AFTER; got {', '.join(map(str, films))}")
    check_command(out, "predict --compare")
    before, after = films
    result = compare_films(before, after, predictor, photometric, spacing)
    sides = {"before": result.before, "after": result.after}
    doubtful = " and ".join(name for name, side in sides.items() if side.review) or ("headers" if result.doubts else "")
    judged = not doubtful and not any(UNJUDGED in side.remarks for side in sides.values())
    rows = [_row(change, doubtful, judged) for change in result.changes]
    picture = comparison_picture(
        result.before.small, result.moved, result.before.small_masks, result.moved_masks, result.change
    )
    doubts, similarity = list(doubts_in_words(result)), list(similarity_in_words(result))
    names = one_line(as_utf8(before)), one_line(as_utf8(after))
    path = write_comparison(out, picture, rows, doubts, similarity, names, judged)
    print("\n".join((*doubts, *similarity)))
    for change in result.changes:
        low_high = "" if change.range is None else " ({:+.4g} to {:+.4g})".format(*change.range)
        print(
            f"{change.name:30s} {change.before:.4g} -> {change.after:.4g} {change.unit}, {change.change:+.4g}{low_high}"
            f"{' ?' if doubtful else ''}"
        )
    print(f"In brackets how firm the network is of a change. {RATIO_CHANGES if judged else NOT_JUDGED}")
    print(f"Report: {path}")


def doubts_in_words(result: FilmComparison) -> Iterator[str]:
    """Say what to look at before the numbers."""
    yield from (f"Look first: {doubt}." for doubt in result.doubts)
    if result.overlap < GOOD_OVERLAP:
        yield (
            f"Look first: laid over each other the lungs overlap with Dice {result.overlap:.3f} only, so the picture of the "
            "difference shows more of that than of a change."
        )
    yield from (f"Note: {remark}." for remark in result.remarks)


def similarity_in_words(result: FilmComparison) -> Iterator[str]:
    """Say how alike the films are once one is laid over the other."""
    yield (
        f"Both brought to one size, the second film was scaled by {result.similarity.scale:.3f} and turned by "
        f"{abs(result.similarity.degrees):.1f} degrees "
        f"{'counter-clockwise' if result.similarity.degrees > 0 else 'clockwise'}; "
        f"the lungs then overlap with Dice {result.overlap:.3f}. What overlaps badly is compared badly."
    )
    yield (
        f"Inside the lungs of both films: structural similarity {result.ssim:.3f}, mean absolute difference "
        f"{result.difference:.3f} of the first film's grey range (once the lungs have the same median and quartiles on both)."
    )


def _row(change: Change, doubtful: str, judged: bool) -> tuple:
    low, high = change.range or (None, None)
    spreads = change.before_spread, change.after_spread
    errors = RATIO_CHANGE if judged and change.name == "cardiothoracic_ratio" else None
    return (
        change.name,
        change.unit,
        change.before,
        spreads[0],
        change.after,
        spreads[1],
        change.change,
        low,
        high,
        errors,
        doubtful,
    )
