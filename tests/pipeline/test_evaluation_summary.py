"""Sums over films, on results made by hand."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from data.measurements import Measurement
from db.records import ImageRecord
from pipeline.comparison import Comparison
from pipeline.evaluation_summary import summarise_quality, summarise_ratio, summarise_results
from pipeline.results import remove_earlier_masks, result_lines
from report.evaluation_tables import TITLES, confident_table, film_table, quality_table, ratio_table
from report.film_result import FilmResult, confident_failures, failures_to_show, unjudged_failures, worst_ratios
from report.plain import plain
from unet.quality import Quality
from unet.summary import compare_paired


def film(number, dice, predicted, doubtful=False, ratios=()):
    record = ImageRecord(
        image_id=number, source="s", file=f"{number}.png", path=None, patient_id=f"p{number}", split="test",
        height=9,
        width=9, photometric_interpretation=None, spacing_mm=None, content_sha256="",
    )  # fmt: skip
    scores = [] if dice is None else [{"structure": "lungs", "dice": dice}]
    measured = [(Measurement("cardiothoracic_ratio", ratio, "ratio"),) for ratio in ratios] or [(), ()]
    quality = {"lungs": Quality(predicted, doubtful, 0.9)}
    return FilmResult(record, scores, b"", quality, measured=measured[0], measured_true=measured[1])


FILMS = [film(1, 0.95, 0.94), film(2, 0.97, 0.96), film(3, 0.93, 0.85, True), film(4, 0.70, 0.80, True), film(5, 0.85, 0.95),
         film(6, None, 0.5, True)]  # fmt: skip


def test_alarms_are_counted_on_the_films_that_have_truth():
    part = summarise_quality(FILMS)["lungs"]
    assert (part["films"], part["doubtful"], part["judged"], part["below"]) == (6, 3, 5, 2)
    assert part["caught"] == 0.5 and part["false_alarms"] == pytest.approx(1 / 3)
    assert part["mean_absolute_error"] == pytest.approx((0.01 + 0.01 + 0.08 + 0.10 + 0.10) / 5)
    assert part["bias"] == pytest.approx((-0.01 - 0.01 - 0.08 + 0.10 + 0.10) / 5)
    assert part["caught_at_5_percent"] == 0.5  # 0.80 lies below every good film, 0.95 does not
    assert part["rank_correlation"] == pytest.approx(0.7)  # ranks 3 4 2 0 1 against 2 4 1 0 3: 1 - 6 * 6 / (5 * 24)


def test_the_page_counts_films_where_a_share_would_say_little():
    row = quality_table(summarise_quality(FILMS)).rows[0]
    assert row[:4] == (TITLES["lungs"], 6, 3, 5) and row[-3:] == ("1 of 2", "1 of 3", "1 of 2")
    without = quality_table(summarise_quality([FILMS[-1]])).rows[0]
    assert without[:4] == (TITLES["lungs"], 1, 1, 0) and without[-3:] == (None, None, None)


def test_no_truth_leaves_only_the_count():
    assert summarise_quality([FILMS[-1]])["lungs"] == {"films": 1, "doubtful": 1}
    assert summarise_quality([]) == {}


def test_a_confident_failure_is_below_the_limit_without_a_warning():
    assert [result.record.image_id for result, _ in confident_failures(FILMS)] == [5]


def test_of_many_confident_failures_the_worst_of_each_structure_is_shown_and_how_many_there_are():
    """The one that was promised least is the worst, and would be the first to be left out."""
    many = [film(number, 0.85, 0.99 - number / 1000) for number in range(10)] + [film(99, 0.5, 0.6)]
    failures = confident_failures(many)
    shown = failures_to_show(failures, 4)
    assert [result.record.image_id for result, _ in shown] == [0, 1, 2, 99]
    assert "4 of 11 are shown" in confident_table(shown, len(failures)).caption
    assert failures_to_show(failures, 20) == failures
    assert "shown" not in confident_table(failures, len(failures)).caption


def test_a_structure_can_fail_alone_without_a_warning():
    scores = [
        {"structure": "lungs", "dice": 0.95},
        {"structure": "right_lung", "dice": 0.86},
        {"structure": "heart", "dice": 0.5},
    ]
    quality = {
        "lungs": Quality(0.95, False, 0.9),
        "right_lung": Quality(0.95, False, 0.9),
        "heart": Quality(0.5, True, 0.9),
    }
    result = replace(FILMS[0], scores=scores, quality=quality)
    assert [structure for _, structure in confident_failures([result])] == ["right_lung"]
    table = confident_table(confident_failures([result]), 1)
    assert table.rows == [("1.png", TITLES["right_lung"], 0.86, 0.95, pytest.approx(0.09))]


def test_a_structure_without_a_fit_is_said_not_to_be_judged():
    scores = [{"structure": "lungs", "dice": 0.95}, {"structure": "heart", "dice": 0.5}]
    fitted = replace(FILMS[0], scores=scores, quality={"lungs": Quality(0.95, False, 0.9)})
    better = replace(fitted, scores=[scores[0], {"structure": "heart", "dice": 0.93}])
    assert unjudged_failures([fitted, better]) == {"heart": (1, 2)} and confident_failures([fitted, better]) == []
    assert unjudged_failures(FILMS) == {}


def test_ratio_errors_are_predicted_minus_true():
    films = [film(n, 0.9, 0.9, ratios=(0.50 + 0.01 * n, 0.50)) for n in range(1, 5)]
    found = summarise_ratio(films)
    assert found["films"] == 4 and found["bias"]["value"] == pytest.approx(0.025)
    assert (
        found["mean_absolute_error"] == pytest.approx(0.025)
        and found["lower"]["value"] < 0.025 < found["upper"]["value"]
    )
    few = summarise_ratio(films[:2])
    assert few["films"] == 2 and few["bias"] is few["lower"] is few["mean_absolute_error"] is None
    assert summarise_ratio(FILMS) is None


def test_films_whose_masks_give_no_ratio_are_counted_also_where_none_gives_one():
    lost = [replace(film(n, 0.9, 0.9, ratios=(0.5, 0.5)), measured=()) for n in range(5)]
    films = [film(n, 0.9, 0.9, ratios=(0.50 + 0.01 * n, 0.50)) for n in range(5, 9)]
    assert summarise_ratio([*films, *lost, *FILMS])["not_predicted"] == 5
    none = summarise_ratio(lost)
    assert (none["films"], none["not_predicted"], none["bias"]) == (0, 5, None)


def test_the_largest_errors_of_the_ratio_come_first_whatever_their_sign():
    films = [film(1, 0.9, 0.9, ratios=(0.51, 0.50)), film(2, 0.9, 0.9, ratios=(0.42, 0.50)), film(3, 0.9, 0.9)]
    table = ratio_table(worst_ratios(films))
    assert table.rows == [("2.png", 0.50, 0.42, "-0.0800", None), ("1.png", 0.50, 0.51, "+0.0100", None)]
    assert table.links == ["film-2", "film-1"]


def test_what_json_cannot_say_is_null():
    assert plain({"a": [math.nan, (1.5, math.inf)], 2: "x", "n": 3}) == {"a": [None, [1.5, None]], "2": "x", "n": 3}


def scored(number, patient, source, dice, empty="none"):
    record = replace(FILMS[0].record, image_id=number, patient_id=patient, source=source)
    return replace(
        FILMS[0], record=record, scores=[{"structure": "heart", "dice": dice, "hd_mm": 9 - dice, "empty": empty}]
    )


def test_the_summary_of_a_structure_by_hand():
    results = [scored(n, f"p{n}", "a" if n < 3 else "b", value, "pred" if n == 4 else "none")
               for n, value in enumerate((0.9, 0.8, 0.7, 0.95, 0.0))]  # fmt: skip
    summary = summarise_results([*results, FILMS[-1]], [], [])
    assert (summary["films"], summary["patients"], summary["without_truth"]) == (6, 6, 1)
    heart = summary["structures"]["heart"]
    dice = heart["dice"]
    assert (dice["least"], dice["median"], dice["most"]) == (0.0, 0.8, 0.95) and dice["mean"] == pytest.approx(0.67)
    assert dice["below"] == pytest.approx(3 / 5) and dice["empty"] == 1 and heart["empty"] == {"none": 4, "pred": 1}
    assert all(math.isnan(dice[name]) for name in ("low", "high", "p5", "p95"))  # of five films of five patients
    assert (heart["hd_mm"]["least"], heart["hd_mm"]["most"]) == pytest.approx((8.05, 9.0)) and "below" not in heart[
        "hd_mm"
    ]
    assert summary["by_source"]["a"]["heart"]["mean"] == pytest.approx(0.8)
    assert summary["by_source"]["b"]["heart"]["mean"] == pytest.approx(0.475)


def test_intervals_of_a_summary_resample_patients_not_films():
    def width(patients):
        results = [scored(n, f"p{n % patients}", "a", (0.9, 0.7)[n % 2]) for n in range(40)]
        dice = summarise_results(results, [], [])["structures"]["heart"]["dice"]
        assert dice["patients"] == patients
        return dice["high"] - dice["low"]

    assert width(10) == pytest.approx(2 * width(40), rel=0.2)  # the error of a mean of ten is twice that of forty


def test_masks_of_an_earlier_evaluation_go_but_no_file_elsewhere(tmp_path):
    (tmp_path / "out/masks/heart").mkdir(parents=True)
    for name in ("out/masks/heart/old.png", "out/masks/heart/kept.png", "victim.png"):
        (tmp_path / name).touch()
    (tmp_path / "out/films.csv").write_text("mask_name\nold\nkept\n../../../victim\n\n")
    remove_earlier_masks(tmp_path / "out", [replace(FILMS[0], mask_name="kept")])
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == ["kept.png", "victim.png"]


def test_the_terminal_gives_no_interval_of_few_patients_and_says_so():
    results = [scored(n, f"p{n}", "a", 0.9 + 0.01 * n) for n in range(5)]
    summary = {**summarise_results(results, [], []), "trained_on": 0, "remarks": {"perhaps turned": 2}}
    first, second, remarked, last = result_lines(
        summary, [], Comparison(Path("other"), {"heart": compare_paired([0.9], [0.8], ["a"])}, 0)
    )
    assert first == "heart          5 films  Dice 0.9200  worst 0.9000  below 0.9: 0.0 %"
    assert second == "Values of fewer than 10 patients (heart) have no interval: so few say little of others."
    assert remarked == "2 films: perhaps turned (remarks in films.csv)."
    assert last == "heart       +0.1000 against other, p = 1.0000, 1 film"


def test_only_films_with_an_overlay_on_the_page_are_led_to():
    table = film_table(FILMS[:2], {FILMS[1].record.image_id})
    assert table.links == [None, f"film-{FILMS[1].record.image_id}"]
