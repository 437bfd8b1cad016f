"""The evaluation report: what to know first, tables and figures, the films worth looking at, every film in a list."""

from collections.abc import Iterator, Sequence

from data.overlay import HOTTEST
from report.agreement import interval
from report.counts import counted
from report.evaluation_figures import (
    group_figure,
    quality_figure,
    ratio_figure,
    reliability_figure,
    threshold_figure,
)
from report.evaluation_tables import (
    ORDER,
    TITLES,
    anchor,
    calibration_table,
    confident_table,
    film_table,
    group_tables,
    quality_table,
    ratio_table,
    summary_tables,
    threshold_table,
)
from report.figures import curves_figure, figure_bytes
from report.film_result import FilmResult, confident_failures, failures_to_show, unjudged_failures, worst_ratios
from report.page import Block, Gallery, Heading, Page, Picture, Table, Text
from report.reading_help import reading_help
from unet.quality import FALSE_ALARMS, GOOD_DICE
from unet.summary import Interval

EMBEDDED_PICTURES = 250  # of more films only the worst, median and best are shown
SHOWN = 6
MANY_FILMS = 250  # from which resampling holds the limits of agreement nearly as often as it says (docs/metrics.md)
COLOURS_ALONE = (
    "Blue, yellow, orange: predicted right lung, left lung, heart. The patient's right is on the picture's left."
)
COLOURS = f"White: the reference contour. {COLOURS_ALONE} Tinted purple: missed; tinted green: predicted where nothing was drawn."
GLOW = (
    "Yellow glows where five slightly turned and zoomed copies of the film disagree; at its brightest the probability's standard "
    f"deviation is {HOTTEST:g} or more."
)


def evaluation_page(
    facts: Sequence[str],
    summary: dict,
    results: Sequence[FilmResult],
    failures: Sequence,
    groups: Sequence[dict],
    history: Sequence[dict] = (),
) -> Page:
    """Compose the page.

    facts: sentences on what was scored. summary: see `pipeline.evaluation_summary`. failures: (record, why). groups: rows of
    `pipeline.groups`. history: epochs of the training, for its curves.
    """
    ranked = sorted(results, key=lambda result: result.rank)
    shown = pick_pictures(ranked) if summary["structures"] else ranked[: 2 * SHOWN]
    failed = confident_failures(ranked)
    confident = failures_to_show(failed, 2 * SHOWN)
    embedded = {result.record.image_id for result in shown}
    rest = [result for result in ranked if result.record.image_id not in embedded]
    if len(results) > EMBEDDED_PICTURES:  # of many films only those that a gallery shows
        of_table = {
            result.record.image_id for result in (*(film for film, _ in confident), *worst_ratios(results)[:SHOWN])
        }
        rest = [result for result in rest if result.record.image_id in of_table]
    page = Page("Evaluation of lung and heart masks")
    page.add(*(Text(fact) for fact in facts))
    page.add(*(_agreement(summary) if summary["structures"] else [Text(WITHOUT_TRUTH)]))
    page.add(
        Heading("Films worth looking at"),
        Text(COLOURS if summary["structures"] else COLOURS_ALONE),
        *_galleries(ranked, shown, confident, len(failed), summary),
    )
    page.add(*_quality(summary, results), *_groups(groups), *_ratio(summary, results), *_probabilities(summary))
    if history:
        page.add(
            Heading("How it was trained"),
            _figure(
                "curves",
                curves_figure(history),
                "Loss and validation Dice by epoch; the network of the epoch with the best validation Dice was kept.",
            ),
        )
    page.add(Heading("Every film"), film_table(ranked, embedded | {result.record.image_id for result in rest}))
    if failures:
        rows = [(record.file, reason) for record, reason in failures]
        page.add(Heading("Films that could not be read"), Table(("file", "why"), rows))
    if rest:
        page.add(Heading("Other overlays"), Gallery([_picture(result) for result in rest]))
    return page


WITHOUT_TRUTH = (
    "None of these films has a reference mask, so nothing here says how good the masks are: what follows are predictions, and "
    "the quality that the network's own validation films lead one to expect."
)


def pick_pictures(ranked: Sequence[FilmResult]) -> list[FilmResult]:
    """The worst, the middle and the best films of a list ordered from worst to best, each once."""
    middle = max(0, len(ranked) // 2 - SHOWN // 4)
    chosen = [*ranked[:SHOWN], *ranked[middle : middle + SHOWN // 2], *ranked[-SHOWN // 2 :]]
    return list({result.record.image_id: result for result in chosen}.values())


def _agreement(summary: dict) -> Iterator[Block]:
    yield Heading("How well the masks agree")
    yield Text(reading_help(summary))
    yield from summary_tables(summary)
    if summary["without_truth"]:
        yield Text(
            f"{counted(summary['without_truth'], 'film has', 'films have')} no reference and no part in any mean."
        )


def _galleries(
    ranked: Sequence[FilmResult],
    shown: Sequence[FilmResult],
    confident: Sequence[tuple[FilmResult, str]],
    failed: int,
    summary: dict,
) -> Iterator[Block]:
    yield Heading("Worst, median and best" if summary["structures"] else "Lowest predicted quality", 3)
    yield Gallery([_picture(result) for result in shown])
    if summary["structures"] and any(result.quality for result in ranked):
        yield Heading("Confident failures", 3)
        unjudged = unjudged_failures(ranked)
        one = "structure that has a predicted quality" if unjudged else "structure"
        none = Text(f"No {one} is below Dice {GOOD_DICE} on any film without a warning by the predicted quality.")
        yield confident_table(confident, failed) if confident else none
        for structure, (failed, films) in unjudged.items():
            yield Text(
                f"Not judged, since the checkpoint has no fit for it: {structure.replace('_', ' ')}, below {GOOD_DICE} on "
                f"{failed} of {counted(films, 'film', 'films')}."
            )
    maps = [result for result in ranked if result.uncertainty][: 2 * SHOWN]
    if maps:
        yield Heading("Where the network is unsure", 3)
        yield Text(GLOW)
        yield Gallery([_uncertainty(result) for result in maps])


def _quality(summary: dict, results: Sequence[FilmResult]) -> Iterator[Block]:
    quality = summary["predicted_quality"]
    yield Heading("Predicted quality")
    if not quality:
        yield Text("The checkpoint holds no fit of it: it had too few validation films, or its training has not ended.")
        return
    yield Text(
        "What the network's probabilities and the shape of its masks lead one to expect, without the reference. A film is "
        "doubtful when it lies below the limit in the checkpoint, which at most "
        f"{100 * FALSE_ALARMS:.0f} % of good films of the training's hospitals "
        "should fall below."
    )
    yield quality_table(quality)
    figure = quality_figure(results)
    if figure is not None:
        yield _figure(
            "quality", figure, f"Predicted against true Dice; below the line at {GOOD_DICE} a warning was due."
        )


def _groups(groups: Sequence[dict]) -> Iterator[Block]:
    tables = list(group_tables(groups))
    if not tables:
        return
    yield Heading("By group")
    yield Text(
        "Associations in this sample, not causes: groups differ in more than their name. The gap is the group's mean minus that "
        "of all other films whose group is stated, of a finding only those of the same sources; nothing corrects for the number "
        "of gaps."
    )
    figure = group_figure(groups)
    if figure is not None:
        yield _figure("groups", figure, "Box: quartiles; whiskers: 1.5 times their distance; dots: films beyond.")
    yield from tables


def _ratio(summary: dict, results: Sequence[FilmResult]) -> Iterator[Block]:
    agreement = summary["cardiothoracic_ratio"]
    if agreement is None:
        return
    yield Heading("Cardiothoracic ratio")
    if agreement["bias"] is None:
        known = counted(agreement["films"], "film has", "films have")
        lost = f"; on {agreement['not_predicted']} more the masks give none" if agreement["not_predicted"] else ""
        yield Text(f"{known} both ratios, too few for limits{lost}.")
        return
    bias, lower, upper = (interval(Interval(**agreement[name])) for name in ("bias", "lower", "upper"))
    has_bounds = agreement["bias"]["low"] == agreement["bias"]["low"]
    brackets = "; brackets: 95 % intervals" if has_bounds else ""
    if has_bounds and agreement["films"] < MANY_FILMS:
        brackets += ", which with so few films hold the limits less often (docs/metrics.md)"
    missed = f" On {agreement['not_predicted']} more the masks give none." if agreement["not_predicted"] else ""
    yield Text(
        f"Heart's width over the lungs' common width, on {agreement['films']} films with both drawn: the mean absolute error is "
        f"{agreement['mean_absolute_error']:.3f}, the bias (predicted minus reference) {bias}. Normally "
        f"distributed errors would lie 95 times in 100 between the limits of agreement, {lower} and "
        f"{upper}{brackets}.{missed}"
    )
    figure = ratio_figure(results, agreement)
    bands = ", with their 95 % intervals" if has_bounds else ""
    yield _figure("ratio", figure, f"Bland-Altman: bias and limits of agreement{bands}.")
    yield ratio_table(worst_ratios(results)[:SHOWN])


def _probabilities(summary: dict) -> Iterator[Block]:
    if not summary["calibration"]:
        return
    yield Heading("What the probabilities are worth")
    yield _figure(
        "reliability", reliability_figure(summary["calibration"]), "Dashed: before the temperature; line: after."
    )
    yield Text(
        "The temperature is chosen for pixels near the borders and elsewhere alike, though the latter are many times as many and "
        "nearly certain: over all pixels together it can make the probabilities worse."
    )
    yield calibration_table(summary["calibration"])
    yield Heading("The threshold", 3)
    yield Text(
        "Chosen on the validation films: of the thresholds that score as well as the best there, the one nearest to 0.5, which "
        "needs no explanation."
    )
    yield _figure(
        "thresholds", threshold_figure(summary["thresholds"]), "Mean Dice of untidied masks at every threshold."
    )
    yield threshold_table(summary["thresholds"])


def _figure(name: str, figure, caption: str) -> Picture:
    return Picture(name, figure_bytes(figure), caption)


def _picture(result: FilmResult) -> Picture:
    dice = ", ".join(f"{TITLES[s]} {result.dice[s]:.3f}" for s in ORDER if s in result.dice)
    quality = ", ".join(
        f"{TITLES[s]} {result.quality[s].predicted_dice:.3f}{' doubtful' if result.quality[s].doubtful else ''}"
        for s in ("lungs", "heart")
        if s in result.quality
    )
    parts = [f"Dice {dice}" if dice else "no reference", *([f"predicted {quality}"] if quality else [])]
    return Picture(anchor(result), result.picture, f"{result.record.file}: {'; '.join(parts)}", "jpg")


def _uncertainty(result: FilmResult) -> Picture:
    caption = f"{result.record.file}: the views' lungs differ by {result.disagreement:.3f} (1 - Dice)"
    return Picture(f"unsure-{result.record.image_id}", result.uncertainty, caption, "jpg")
