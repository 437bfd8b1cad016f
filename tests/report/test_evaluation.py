"""What the evaluation's page says in words."""

import pytest

from report.evaluation_figures import group_figure
from report.evaluation_tables import calibration_table, group_tables, summary_tables, threshold_table
from report.reading_help import reading_help


def part(empty, films=140):
    return {
        "dice": {
            "films": films,
            "patients": 138,
            "mean": 0.97,
            "p5": 0.94,
            "least": 0.9,
            "below": 0.025,
            "empty": empty,
        }
    }


@pytest.mark.parametrize(
    ("empty", "words"),
    [
        ((0, 0), "No mask is empty."),
        ((0, 1), "Predicted or drawn empty: heart on 1 film."),
        ((2, 3), "Predicted or drawn empty: both lungs on 2 films, heart on 3 films."),
    ],
)
def test_empty_masks_of_every_structure_are_told(empty, words):
    text = reading_help({"structures": {"lungs": part(empty[0]), "heart": part(empty[1])}})
    assert text.startswith("On 140 films of 138 patients the lungs' masks overlap") and text.endswith(
        f"below 0.9. {words}"
    )


def test_few_films_have_no_worst_twentieth_and_few_patients_no_interval():
    few = {"dice": {**part(0, films=9)["dice"], "patients": 9, "least": 0.91}}
    for others in ({"lungs": part(0), "heart": few}, {"heart": few}):
        told = reading_help({"structures": others})
        assert told.endswith("Values of fewer than 10 patients (heart) have no interval: so few say little of others.")
    text = reading_help({"structures": {"lungs": few}})
    assert "the worst has 0.910" in text and "twentieth" not in text and "(both lungs) have no interval" in text


def test_an_interval_of_few_patients_is_called_too_high_and_a_share_says_of_how_many():
    def told(patients):
        return reading_help({"structures": {"lungs": {"dice": {**part(0)["dice"], "patients": patients}}}})

    flatters = "Of so few patients the interval of a mean Dice lies too high"
    assert [flatters in told(patients) for patients in (9, 10, 99, 100)] == [False, True, True, False]
    assert "and 4 of 140 are below 0.9." in told(138)


def test_of_two_units_only_the_one_with_few_patients_is_named():
    known = {**part(0), "hd_mm": {"patients": 35}, "hd_px": {"patients": 3}}
    told = reading_help({"structures": {"lungs": known, "heart": part(0)}})
    assert told.endswith(
        "Values of fewer than 10 patients (distances in px) have no interval: so few say little of others."
    )


def test_the_figure_of_groups_shows_one_structure_and_says_which():
    def row(structure, level, dices):
        return {"grouping": "sex", "structure": structure, "level": level, "films": len(dices), "dices": dices}

    heart = [row("heart", "F", [0.5, 0.6, 0.7]), row("heart", "M", [0.7, 0.8, 0.8])]
    right = [row("right_lung", "F", [0.95, 0.96, 0.96]), row("right_lung", "M", [0.97, 0.98, 0.99, 0.99])]
    figure = group_figure([*heart, *right])
    assert figure.axes[-1].get_xlabel() == "Dice of right lung (dotted: 0.9)"
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["M (n = 4)", "F (n = 3)"]
    assert group_figure(heart[:1]) is None


def group(level, films, grouping="finding", structure="lungs", few=False, gap=(0.01, -0.02, 0.03)):
    value, low, high = gap
    return {
        "grouping": grouping, "level": level, "structure": structure, "films": films, "patients": films, "mean": 0.9, "low": 0.85,
        "high": 0.95, "worst": 0.5, "below": 0.25, "empty": 0, "gap": value, "gap_low": low, "gap_high": high, "few": few,
    }  # fmt: skip


def test_a_table_of_groups_shows_the_largest_levels_and_says_what_it_leaves_out():
    groups = [group(f"f{n}", 20 - n, few=n > 10) for n in range(14)] + [
        group("rare", 2),
        group("f0", 5, structure="heart"),
    ]
    groups += [group("not stated", 9, "sex"), group("F", 4, "age"), group("s", 9, "source"), group("t", 8, "source")]
    finding, source = sorted(group_tables(groups), key=lambda table: table.caption)
    assert [row[0] for row in finding.rows[:12]] == [
        *(f"f{n}" for n in range(11)),
        "f11 (few patients here or among the others: do not compare)",
    ]
    assert [row[1] for row in finding.rows] == ["both lungs"] * 12 + ["heart"]
    assert (
        finding.caption == "Dice by finding. 3 small groups are in summary.json only."
        and source.caption == "Dice by source."
    )
    assert source.rows[0][2:] == (9, 9, 0.9, "0.8500 to 0.9500", 0.5, "25.0 %", "+0.0100", "-0.0200 to +0.0300")
    missed = [{**group("s", 9, "source"), "empty": 2}, group("t", 8, "source")]
    assert next(group_tables(missed)).caption.endswith("2 masks are empty, in the reference or the prediction.")
    (unknown, _) = next(group_tables([group("F", 4, "sex", gap=(float("nan"),) * 3), group("M", 4, "sex")])).rows
    assert unknown[-2:] == (None, None)


def test_distances_stand_in_their_own_unit_with_its_tolerances():
    def metric(value):
        return {"films": 3, "mean": value, "low": value, "high": value, "median": value, "p5": value, "empty": 0}

    names = ("hd95_px", "assd_px", "hd_px", "nsd_2px", "nsd_4px", "nsd_8px")
    own = {"dice": {**metric(0.9), "below": 0.5}, **{name: metric(float(n)) for n, name in enumerate(names, 1)}}
    overlap, distances = summary_tables({"structures": {"heart": own}})
    assert overlap.rows[0][:8] == ("heart", 3, 0, 0.9, "0.9000 to 0.9000", 0.9, 0.9, "50.0 %")
    assert distances.columns[-3:] == ("NSD 2 px", "NSD 4 px", "NSD 8 px") and distances.rows[0][-3:] == (4.0, 5.0, 6.0)
    assert distances.rows[0][3] == "1.00" and "no spacing is known" in distances.caption


def test_a_threshold_of_several_networks_is_listed_and_no_dice_claimed_for_it():
    point = {"lowest": 0.4, "highest": 0.6, "dice": 0.9, "dice_at_half": 0.89}
    part = {
        "films": 4,
        "thresholds": [0.3, 0.5, 0.7],
        "dice": [0.8, 0.85, 0.9],
        "used": [0.7],
        "on_validation": [point],
    }
    one = threshold_table({"heart": part}).rows
    assert one == [("heart", "0.70", "0.40 to 0.60", "+0.0100", 4, 0.9, 0.85, 0.7, 0.9)]
    several = threshold_table({"lungs": {**part, "used": [], "on_validation": [point, point]}}).rows
    assert several == [("both lungs", "of its lungs", None, None, 4, None, 0.85, 0.7, 0.9)]


def test_every_number_of_a_structure_stands_under_its_head():
    dice = {"films": 3, "empty": 1, "mean": 0.9, "low": 0.8, "high": 0.95, "median": 0.91, "p5": 0.7, "below": 0.25}
    own = {"dice": dice, "iou": {"mean": 0.6}, "precision": {"mean": 0.5}, "recall": {"mean": 0.4}}
    own["relative_area_error"] = {"mean": 0.1}
    for n, name in enumerate(("hd95_mm", "assd_mm", "hd_mm", "nsd_1mm", "nsd_2mm", "nsd_4mm")):
        own[name] = {"films": 2, "empty": 1, "mean": 10.0 + n, "low": 20.0 + n, "high": 30.0 + n, "median": 40.0 + n}
    overlap, distances = summary_tables({"structures": {"heart": own}})
    assert dict(zip(overlap.columns, overlap.rows[0], strict=True)) == {
        "structure": "heart",
        "films": 3,
        "empty masks": 1,
        "Dice": 0.9,
        "95 % interval": "0.8000 to 0.9500",
        "median": 0.91,
        "5th percentile": 0.7,
        "below 0.9": "25.0 %",
        "IoU": 0.6,
        "precision": 0.5,
        "recall": 0.4,
        "area error": 0.1,
    }
    assert distances.rows[0] == (
        "heart",
        2,
        1,
        "10.00",
        "20.00 to 30.00",
        "40.00",
        "11.00",
        "21.00 to 31.00",
        "41.00",
        "12.00",
        13.0,
        14.0,
        15.0,
    )


def test_empty_masks_of_films_with_several_findings_are_not_counted_twice():
    groups = [{**group("mass", 9), "empty": 1}, {**group("nodule", 8), "empty": 1}]
    assert next(group_tables(groups)).caption == "Dice by finding."


def test_calibration_numbers_stand_under_their_heads():
    part = {"pixels": 7, "ece": 0.1, "mce": 0.2, "brier": 0.3, "nll": 0.4}
    table = calibration_table({"heart": {"near": {"before": part, "after": {**part, "ece": 0.05}}}})
    assert table.columns[4:] == ("ECE", "MCE", "Brier", "NLL")
    assert table.rows == [
        ("heart", "near the border", "before", 7, 0.1, 0.2, 0.3, 0.4),
        ("heart", "near the border", "after", 7, 0.05, 0.2, 0.3, 0.4),
    ]  # fmt: skip
