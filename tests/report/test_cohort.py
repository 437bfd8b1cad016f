"""Who is in the data: tables worked by hand on a few invented rows."""

import math

import numpy as np
import pytest

from report.agreement import (
    agreement_figure,
    agreement_table,
    enlarged_sentence,
    heart_share,
    interval,
    spread_sentence,
)
from report.cohort import cohort_sentence, finding_table, group_rows, table_one
from report.cohort_figures import age_figure, finding_figure, missing_figure
from report.figures import curves_figure, figure_bytes
from report.gaps import dependence_table, missing_table
from report.relations import (
    Measured,
    contrasts,
    gap_table,
    model_table,
    patient_numbers,
    per_patient,
    ratio_by_group_figure,
    relation_table,
)
from report.visits import study_day, visit_table, visits
from unet.summary import Interval

RNG = np.random.default_rng(3)


def film(patient="p1", **facts):
    known = {
        "image_id": 1, "source": "a", "patient_id": patient, "study_id": f"s {patient}", "sex": "F", "age_years": 50.0,
        "age_group": "40 to 64", "study_date": None, "offset_days": None, "modality": "CR", "view": "PA",
        "patient_position": None,
        "body_part": None, "photometric": "MONOCHROME2", "rows": 100, "columns": 90,
        "row_spacing_mm": None, "column_spacing_mm": None,
        "split": None, "findings": None, "masks": 0,
    }  # fmt: skip
    return {**known, **facts}


def people(count, sex, age, **facts):
    return [film(f"{sex}{i}", sex=sex, age_years=age + i, **facts) for i in range(count)]


def cells(table, first):
    return next(row for row in table.rows if row[0] == first)


def test_table_one_counts_images_and_shows_no_share_of_few_patients():
    rows = [*people(12, "F", 40), *people(9, "M", 60), film("F0", sex="F", age_years=40, view="AP")]
    table = table_one(rows, "sex")
    assert table.columns == ("fact", "all", "F", "M", "SMD")
    assert list(cells(table, "images")) == ["images", 22, 13, 9, None]
    assert list(cells(table, "patients")) == ["patients", 21, 12, 9, None]
    assert cells(table, "view position: AP")[1:4] == ["1 (5 %)", "1 (8 %)", "0"]
    ages = "patients' age, years: median (quartiles)"
    assert (
        cells(table_one([*rows, *(film("F0", sex="F", age_years=40) for _ in range(50))], "sex"), ages)[2]
        == "46 (43 to 48)"
    )
    rows.append(film("M99", sex="M", age_years=None))
    assert cells(table_one(rows, "sex"), "patients' age: not stated")[1:] == [1, 0, 1, None]


def test_the_smd_is_that_of_first_films_of_groups_that_are_large_enough():
    rows = [*people(10, "F", 40), *people(10, "M", 60), *people(3, "O", 0)]
    expected = 20 / np.std(np.arange(10), ddof=1)
    assert cells(table_one(rows, "sex"), "patients' age, years: median (quartiles)")[-1] == pytest.approx(expected)
    assert cells(table_one(people(5, "F", 40), "sex"), "patients' age, years: median (quartiles)")[-1] is None
    unknown = [film(f"?{i}", sex=None, age_years=90 + i) for i in range(12)]
    assert cells(table_one([*rows, *unknown], "sex"), "patients' age, years: median (quartiles)")[-1] == pytest.approx(
        expected
    )


def test_what_is_not_stated_is_no_level_of_the_smd():
    rows = [*people(20, "F", 40, source="a"), *people(10, "M", 40, source="a")]
    other = [{**row, "source": "b", "patient_id": f"b{row['patient_id']}"} for row in rows]
    unknown = [film(f"u{i}", sex=None, source="b", age_years=40) for i in range(30)]
    assert cells(table_one([*rows, *other, *unknown], "source"), "sex: F")[-1] == pytest.approx(0)
    alike = [{**row, "patient_position": "SUPINE" if row["source"] == "a" else None} for row in (*rows, *other)]
    assert cells(table_one(alike, "source"), "patient position: SUPINE")[-1] is None  # nothing to compare with


def test_a_radiologists_own_words_about_one_person_are_not_shown():
    rows = [film(f"p{i}", findings="nodule") for i in range(3)] + [
        film("x", findings="stable, same pt as MC_0113|nodule")
    ]
    assert [tuple(row) for row in finding_table(rows).rows] == [("nodule", 4, 4), ("1 other finding", 1, 1)]
    assert list(group_rows(rows, "finding")) == ["nodule"]
    assert not any("MC_0113" in str(row) for row in finding_figure(rows).rows)
    assert finding_figure(rows[2:]) is None and finding_figure([film()]) is None, "no empty axes"


def test_a_finding_that_looks_like_a_formula_is_drawn_as_it_stands():
    rows = [film(f"p{i}", findings=r"$\frac$|costs 3 $ and 4 $|nodule_") for i in range(3)]
    chart = finding_figure(rows)
    assert figure_bytes(chart.figure).startswith(b"\x89PNG")
    assert [cell for cell in chart.rows[0] if cell == r"$\frac$"]


def test_the_losses_of_a_training_are_labelled_without_formulas():
    history = [
        {"epoch": n, "train_loss": 2.0 / n, "val_loss": 1.5 / n, "val_dice_lungs": 0.9, "val_dice_heart": None}
        for n in range(1, 30)
    ]
    figure = curves_figure(history)
    figure_bytes(figure)
    axis = figure.axes[0].yaxis
    labels = [label.get_text() for label in (*axis.get_majorticklabels(), *axis.get_minorticklabels())]
    assert "1" in labels and not any("$" in label for label in labels)


def test_the_sentence_counts_every_patient_once():
    rows = [
        film("a", age_years=40),
        film("a", age_years=41),
        film("b", sex="M", age_years=60),
        film("c", sex=None, age_years=None),
    ]
    text = cohort_sentence(rows)
    assert (
        "1 woman and 1 man; for 1 patient the" in text
        and "median 50; 1 age not stated" in text
        and "1 patient has more" in text
    )


def test_the_pyramid_has_every_patient_once_and_says_who_is_left_out():
    rows = [
        film("a", age_years=45),
        film("a", age_years=46),
        film("b", sex="M", age_years=45),
        film("c", age_years=140),
        film("d", sex=None, age_years=49),
        film("e", sex="O", age_years=51),
    ]
    chart = age_figure(rows)
    assert (40, 50, 1, 1, 1) in chart.rows and (50, 60, 0, 0, 1) in chart.rows
    assert sum(sum(row[2:]) for row in chart.rows) == 4
    drawn = [
        (bar.get_x(), bar.get_width()) for bar in chart.figure.axes[0].patches if bar.get_width() and bar.get_y() < 50
    ]
    assert sorted(drawn) == [(0, -1), (0, 1), (1, 1)]  # women to the left, men to the right, the others beyond the men
    assert age_figure([film("a", age_years=None)]) is None


def test_days_that_are_counted_from_different_days_are_not_subtracted():
    rows = [
        film(study_id="1", offset_days=3.0, source="a"), film(study_id="2", study_date="2020-01-22", source="a"),
        film(study_id="3", offset_days=10.0, source="b"), film(study_id="4", offset_days=5.0, source="a"),
    ]  # fmt: skip
    assert visits(rows) == ([4], [2.0])


def test_visits_are_days_between_studies_of_one_patient():
    rows = [
        film("a", study_id="1", offset_days=3.0), film("a", study_id="2", offset_days=10.0),
        film("a", study_id="2", offset_days=10.0),
        film("b", study_id="3", study_date="2020-02-28"), film("b", study_id="4", study_date="2020-03-01"),
        film("c", study_id="5", study_date="2020"), film("c", study_id="6", study_date="2021"),
    ]  # fmt: skip
    studies, days = visits(rows)
    assert sorted(studies) == [2, 2, 2] and sorted(days) == [2.0, 7.0]
    assert study_day(film(study_date="2020-13-01")) is None
    assert visit_table(studies, []).rows[1] == ("days to the next study", 0, None, None, None, None)
    table = visit_table([1, 2, 3, 4, 9], [2.0, 3.0, 4.0, 8.0])
    assert table.rows == [("studies per patient", 5, 3, 2, 4, 9), ("days to the next study", 4, 3.5, 2.75, 5, 8)]


def test_gaps_are_counted_and_those_that_depend_on_sex_are_found():
    rows = [*people(40, "F", 30, photometric=None), *people(40, "M", 30)]
    assert cells(missing_table(rows), "photometric interpretation") == ("photometric interpretation", 40, 50.0)
    first = dependence_table(rows).rows[0]
    assert first[:2] == ("photometric interpretation", "sex") and first[4] == pytest.approx(1) and first[-1] < 1e-6
    assert first[2] == 40
    of_unknown_sex = [film(f"u{i}", sex=None, age_years=50, photometric=None) for i in range(15)]
    lines = {line[:2]: line for line in dependence_table([*rows, *of_unknown_sex]).rows}
    assert lines["photometric interpretation", "sex"][2] == 40 and lines["photometric interpretation", "age"][2] == 55
    assert dependence_table(people(40, "F", 30)) is None
    assert ("photometric interpretation", "a (80)", 0.5) in missing_figure(rows).rows


def measured(name, values, unit="ratio", taken_by="source", **facts):
    rows = [{**film(f"p{i}"), "value": value} for i, value in enumerate(values)]
    rows = [{**row, **{key: value[i] for key, value in facts.items()}} for i, row in enumerate(rows)]
    return Measured(name, unit, taken_by, rows)


def test_a_difference_between_the_sexes_is_found_and_corrected_for_the_number_of_comparisons():
    values = [*RNG.normal(0.55, 0.03, 20), *RNG.normal(0.45, 0.03, 20)]
    table = relation_table(
        [measured("cardiothoracic_ratio", values, sex=["M"] * 20 + ["F"] * 20, age_years=[40, 70] * 20)]
    )
    line = cells(table, "cardiothoracic_ratio")
    assert (
        line[2:5] == ("men - women", 20, 20)
        and line[-2] == pytest.approx(1 / 2001)
        and line[-1] == pytest.approx(2 / 2001)
    )
    assert {row[2] for row in table.rows} == {"men - women", "60 years and older - younger"}
    assert relation_table([measured("heart_width_px", values, unit="px", sex=["M"] * 20 + ["F"] * 20)]) is None
    assert relation_table([measured("cardiothoracic_ratio", values[:18], sex=["M"] * 9 + ["F"] * 9)]) is None


def test_a_patient_in_both_groups_counts_where_the_first_film_is():
    patients = patient_numbers([film("a"), film("a"), film("a"), film("b"), film("c")])
    with_it, without = per_patient(patients, np.array([1.0, 5, 3, 7, 9]), np.array([1, 0, 1, -1, 0]))
    assert list(with_it) == [2.0] and list(without) == [9.0]


def test_a_fact_that_is_not_stated_belongs_to_no_group():
    rows = [
        film(sex=None, age_years=None, view=None, findings=None),
        film("q", findings="x"),
        film("r", findings="x"),
        film("s", findings="x"),
    ]
    for contrast in contrasts(rows):
        assert contrast.sides[0] == -1, contrast.title


def test_a_finding_is_compared_with_films_of_the_sources_that_state_it():
    rows = [*(film(f"a{i}", source="a", findings="mass" if i < 3 else "normal") for i in range(6)),
            *(film(f"b{i}", source="b", findings="nodule") for i in range(3)), film("c", source="a", findings=None)]  # fmt: skip
    sides = {contrast.title.split(" - ")[0]: contrast.sides.tolist() for contrast in contrasts(rows)}
    assert sides["mass"] == [1, 1, 1, 0, 0, 0, -1, -1, -1, -1]
    assert sides["nodule"] == [-1] * 6 + [1, 1, 1, -1]
    assert "normal" not in sides  # the same comparison as mass, the other way round
    both = [*rows, film("a6", source="a", findings="mass|normal")]
    assert {"mass", "normal"} <= {contrast.title.split(" - ")[0] for contrast in contrasts(both)}


def test_who_measured_is_said():
    values = [*RNG.normal(0.55, 0.03, 20), *RNG.normal(0.45, 0.03, 20)]
    facts = {"sex": ["M"] * 20 + ["F"] * 20, "age_years": [*range(30, 70)]}
    own = measured("cardiothoracic_ratio", values, taken_by="stored masks, run 4", **facts)
    width = measured("heart_width_mm", values, unit="mm", **facts)
    table = relation_table([own, width])
    assert table.caption.startswith(
        "Measurements taken by stored masks, run 4 (cardiothoracic_ratio); source (heart_width_mm). Means"
    )
    assert relation_table([own]).caption.startswith("Measurements taken by stored masks, run 4. Means")
    assert "taken by network, run 3" in model_table(own.values, "network, run 3").caption


def test_the_model_finds_the_effect_of_the_view_beside_that_of_age():
    n = 60
    age, view = RNG.uniform(20, 80, n), ["AP", "PA"] * (n // 2)
    values = 0.40 + 0.01 * age / 10 + 0.04 * np.array([v == "AP" for v in view]) + RNG.normal(0, 0.005, n)
    rows = measured("cardiothoracic_ratio", values, age_years=list(age), view=view).values
    table = model_table(rows, "source")
    assert [row[0] for row in table.rows] == ["intercept", "age, per 10 years", "AP, not PA"]
    assert float(cells(table, "AP, not PA")[1].split()[0]) == pytest.approx(0.04, abs=0.005)
    assert model_table(rows[:15], "source") is None
    assert model_table([{**row, "age_years": 50.0} for row in rows], "source") is None
    with pytest.raises(ValueError, match="1 of them NaN"):
        model_table([{**rows[0], "value": float("nan")}, *rows[1:]], "source")
    assert ratio_by_group_figure(rows, "cardiothoracic_ratio", "ratio").columns == ("group", "cardiothoracic_ratio")
    one_view = [{**row, "view": "PA", "age_years": 50.0} for row in rows]
    assert ratio_by_group_figure(one_view, "cardiothoracic_ratio", "ratio") is None  # nobody to compare with


def test_the_model_tells_sources_apart_where_each_has_enough_patients_and_no_other_fact_does():
    n = 110
    source = ["a"] * 60 + ["b"] * 40 + ["c"] * 10  # measured 0.05 higher in b
    view = ["AP" if i % 3 else "PA" for i in range(n)]
    values = 0.4 + 0.05 * np.array([s == "b" for s in source]) + RNG.normal(0, 0.005, n)
    facts = {"age_years": list(RNG.uniform(20, 80, n)), "view": view, "source": source}
    rows = measured("cardiothoracic_ratio", values, **facts).values
    table = model_table(rows, "source")
    assert [row[0] for row in table.rows] == ["intercept", "age, per 10 years", "AP, not PA", "b, not a"]
    assert float(cells(table, "b, not a")[1].split()[0]) == pytest.approx(0.05, abs=0.005)
    assert "over 100 films" in table.caption and "fewer than 30 patients are left out" in table.caption
    assert "does not tell apart" not in table.caption
    by_source = [{**row, "view": "PA" if row["source"] == "a" else "AP"} for row in rows]
    table = model_table(by_source, "source")
    assert [row[0] for row in table.rows][2:] == ["AP, not PA"] and "does not tell apart" in table.caption
    of_one = [{**row, "source": "a"} for row in rows]
    assert "source" not in model_table(of_one, "source").caption.replace("taken by source", "")
    few = [{**row, "source": f"s{i % 5}"} for i, row in enumerate(rows)]  # 22 patients each
    table = model_table(few, "source")
    assert len(table.rows) == 3 and "over 110 films" in table.caption and "does not tell apart" in table.caption


@pytest.mark.parametrize("men_with_view", [0, 2])
def test_the_model_leaves_out_a_covariate_that_is_rare_where_the_others_are_known(men_with_view):
    sex = ["F"] * 65 + ["M"] * 35
    view = ["PA"] * 35 + ["AP"] * 30 + ["PA"] * men_with_view + [None] * (35 - men_with_view)
    rows = measured(
        "cardiothoracic_ratio",
        RNG.normal(0.5, 0.05, 100),
        sex=sex,
        view=view,
        age_years=[*range(20, 70), *range(20, 70)],
    ).values
    assert [row[0] for row in model_table(rows, "source").rows] == ["intercept", "age, per 10 years", "AP, not PA"]
    everywhere = [{**row, "view": "PA" if i % 2 else "AP"} for i, row in enumerate(rows)]
    assert [row[0] for row in model_table(everywhere, "source").rows][2:] == ["man, not woman", "AP, not PA"]


def test_gaps_of_scores_need_ten_patients_a_side():
    scores = [
        {**film(f"p{i}", sex="F" if i % 2 else "M"), "structure": "lungs", "dice": 0.9 + 0.05 * (i % 2)}
        for i in range(30)
    ]
    line = gap_table(scores).rows[0]
    assert line[:4] == ("lungs", "men - women", 15, 15) and line[4].startswith("-0.050")
    assert gap_table(scores[:10]) is None


def pair(i, predicted, reference, name="cardiothoracic_ratio", unit="ratio", spread=None):
    return {
        "name": name, "unit": unit, "predicted": predicted, "reference": reference, "stated": None, "spread": spread,
        "image_id": i, "patient_id": f"p{i}",
    }  # fmt: skip


@pytest.mark.parametrize(("patients", "known"), [(9, False), (10, True)])
def test_agreement_of_few_patients_has_no_interval_and_a_signed_measurement_no_cv(patients, known):
    errors = RNG.normal(0, 0.02, 20)
    pairs = [{**pair(i, 0.5 + e, 0.5 + 0.01 * i, name="heart_width_mm", unit="mm"), "patient_id": i % patients}
             for i, e in enumerate(errors)]  # fmt: skip
    (line,) = agreement_table(pairs, "reference", "them").rows
    assert [("[" in line[place]) for place in (3, 4, 5, 8)] == [known] * 4 and line[7] > 0
    signed = [{**row, "name": "dome_level_difference_mm"} for row in pairs]
    assert agreement_table(signed, "reference", "them").rows[0][7] is None


def test_agreement_is_over_the_films_that_have_both():
    pairs = [pair(i, 0.435 + 0.02 * i, 0.46 + 0.02 * i) for i in range(6)] + [pair(9, 0.5, None)]
    line = agreement_table(pairs, "reference", "them").rows[0]
    assert line[1] == 6 and line[3].startswith("-0.025") and line[6] == pytest.approx(0.025)
    assert agreement_table(pairs, "stated", "them") is None and agreement_figure(pairs, "stated") is None
    few = enlarged_sentence(pairs, "reference", "them")
    assert "on 3 of 6 films: 2 of them found, 0 others" in few and "specificity 1.000." in few and "[" not in few
    more = [{**row, "image_id": n} | {"patient_id": f"{n}"} for n, row in enumerate([*pairs, *pairs])]
    assert "specificity 1.000 [" in enlarged_sentence(more, "reference", "them")
    assert "films as independent" not in enlarged_sentence(more, "reference", "them")
    twice = [*more, *({**row, "image_id": 100 + n} for n, row in enumerate(more))]
    assert "too narrow for 24 films of 12 patients" in enlarged_sentence(twice, "reference", "them")
    assert len(agreement_figure(pairs, "reference").rows) == 6


def test_the_error_is_divided_between_heart_and_chest():
    heart = [pair(i, 100 * (1 + e), 100.0, "heart_width_mm", "mm") for i, e in enumerate([0.1, -0.1, 0.05, 0.0])]
    chest = [pair(i, 300.0, 300.0, "thorax_width_mm", "mm") for i in range(4)]
    relative, thorax, share = heart_share([*heart, *chest], "reference")
    assert relative == pytest.approx(0.0625) and thorax == 0 and share == pytest.approx(1)
    assert heart_share(heart, "reference") is None


def test_the_spread_is_held_against_the_error():
    pairs = [pair(i, 0.5, 0.5 + error, spread=0.01) for i, error in enumerate([0.0, 0.015, 0.05, 0.06])]
    assert "on 50 % of the films" in spread_sentence(pairs)
    assert spread_sentence([pair(1, 0.5, 0.5)]) is None


def test_intervals_are_written_with_as_many_decimals_as_help():
    assert (
        interval(Interval(0.5, 0.4, 0.6)) == "0.500 [0.400, 0.600]"
        and interval(Interval(120.0, 5.0, 200.0)) == "120.0 [5.0, 200.0]"
    )
    assert (
        interval(Interval(math.nan, math.nan, math.nan)) == "–"
        and interval(Interval(1.0, math.nan, math.nan)) == "1.000"
    )


def test_sides():
    rows = [film(sex="M", view="AP", age_years=60.0), film(sex="F", view="PA", age_years=59.9)]
    assert {c.title: c.sides.tolist() for c in contrasts(rows)} == {
        "men - women": [1, 0],
        "AP - PA": [1, 0],
        "60 years and older - younger": [1, 0],
    }


def test_a_comparison_is_the_first_group_minus_the_second_and_the_clearest_comes_first():
    facts = {"sex": ["M"] * 10 + ["F"] * 12}
    alike = measured("lung_area_ratio", [1 + 0.01 * (i % 7) for i in range(22)], **facts)
    apart = measured(
        "cardiothoracic_ratio", [*(0.55 + 0.001 * np.arange(10)), *(0.45 + 0.001 * np.arange(12))], **facts
    )
    too_few = measured("mediastinal_width_mm", [50.0] * 5, unit="mm", taken_by="network, run 3")
    table = relation_table([alike, apart, too_few])
    assert [row[0] for row in table.rows] == ["cardiothoracic_ratio", "lung_area_ratio"]
    assert table.rows[0][2:5] == ("men - women", 10, 12) and table.rows[0][5].startswith("0.099 [")
    assert table.caption.startswith("Measurements taken by source. ")


def ratios(n, noise=0.005, seed=5):
    rng = np.random.default_rng(seed)
    age, view = rng.uniform(20, 80, n), ["AP", "PA"] * (n // 2)
    values = 0.4 + 0.03 * age / 10 + 0.04 * np.array([v == "AP" for v in view]) + rng.normal(0, noise, n)
    return measured("cardiothoracic_ratio", values, age_years=list(age), view=view).values


def test_the_slope_of_age_is_per_ten_years():
    assert float(cells(model_table(ratios(60), "source"), "age, per 10 years")[1].split()[0]) == pytest.approx(
        0.03, abs=0.003
    )


def test_a_second_film_of_each_patient_makes_the_model_no_surer():
    rows = ratios(60, noise=0.05)
    low, high = (
        [float(x) for x in cells(model_table(films, "source"), "AP, not PA")[1].split("[")[1].strip("]").split(",")]
        for films in (rows, [*rows, *rows])
    )
    assert high[1] - high[0] == pytest.approx(low[1] - low[0], rel=0.08)


def test_beside_one_large_source_no_film_of_a_small_one_is_left_out():
    rows = [{**row, "source": "a" if i < 60 else "b"} for i, row in enumerate(ratios(70))]
    table = model_table(rows, "source")
    assert (
        "over 70 films" in table.caption and "left out" not in table.caption and "does not tell apart" in table.caption
    )


def test_of_two_rare_facts_the_rarer_goes_first():
    sex = ["M"] * 5 + ["F"] * 40 + [None] * 55
    rows = [{**row, "sex": sex[i]} for i, row in enumerate(ratios(100))]
    assert [row[0] for row in model_table(rows, "source").rows][2:] == ["AP, not PA"]


def test_boxes_hold_the_groups_that_they_are_named_after():
    rows = measured(
        "cardiothoracic_ratio",
        [0.6] * 10 + [0.4] * 10,
        sex=["M"] * 10 + ["F"] * 10,
        view=["PA"] * 10 + ["AP"] * 10,
        age_years=[70.0] * 10 + [50.0] * 10,
    ).values
    chart = ratio_by_group_figure(rows, "cardiothoracic_ratio", "ratio")
    assert set(chart.rows) == {("men", 0.6), ("women", 0.4), ("AP", 0.4), ("PA", 0.6), ("60+", 0.6), ("<60", 0.4)}


def test_many_films_of_one_person_are_no_group_and_hearts_have_gaps_too():
    scores = [
        {**film("a" if i % 2 else f"p{i}", sex="F" if i % 2 else "M"), "structure": "lungs", "dice": 0.9}
        for i in range(40)
    ]
    assert gap_table(scores) is None
    hearts = [
        {**row, "structure": "heart", "patient_id": f"p{i}", "dice": 0.8 if i % 2 else 0.9}
        for i, row in enumerate(scores)
    ]
    assert [row[:2] for row in gap_table(hearts).rows] == [("heart", "men - women")]


def test_three_films_are_enough():
    pairs = [pair(i, 0.5 + 0.01 * i, 0.5 + 0.02 * i) for i in range(3)]
    assert agreement_table(pairs, "reference", "them").rows[0][1] == 3
    assert agreement_table(pairs[:2], "reference", "them") is None


def test_limits_and_cv():
    lengths = [pair(i, 101.0 + i % 2, 100.0 + i, "heart_width_mm", "mm") for i in range(6)]
    (line,) = agreement_table(lengths, "reference", "them").rows
    assert float(line[4]) < float(line[3]) < float(line[5]) and line[7] > 0
    angles = [{**row, "name": "right_costophrenic_angle_deg", "unit": "deg"} for row in lengths]
    assert agreement_table(angles, "reference", "them").rows[0][7] is None
    zero = [{**lengths[0], "reference": 0.0}, *lengths[1:]]
    assert agreement_table(zero, "reference", "them").rows[0][7] is None
    stated = [{**row, "stated": row["reference"]} for row in lengths]
    assert ["above 100 %" in agreement_table(stated, side, "them").caption for side in ("reference", "stated")] == [
        False,
        True,
    ]


def test_errors_of_heart_and_chest_that_go_together_cancel_in_the_ratio():
    logs = [0.1, -0.1, 0.2, -0.2]
    heart = [pair(i, 100 * np.exp(e), 100.0, "heart_width_mm", "mm") for i, e in enumerate(logs)]
    chest = [pair(i, 300 * np.exp(e / 2), 300.0, "thorax_width_mm", "mm") for i, e in enumerate(logs)]
    assert heart_share([*heart, *chest], "reference")[2] == pytest.approx(2)


def test_dots_are_differences_at_means_in_millimetres_where_these_are_known():
    mm = [pair(i, 110.0 + i, 100.0, "heart_width_mm", "mm") for i in range(3)]
    px = [pair(10 + i, 510.0 + i, 500.0, "heart_width_px", "px") for i in range(3)]
    chart = agreement_figure([*px, *mm], "reference")
    (axis,) = chart.figure.axes
    dots = axis.lines[0]
    assert list(dots.get_xdata()) == [105, 105.5, 106] and list(dots.get_ydata()) == [10, 11, 12]
    assert {row[0] for row in chart.rows} == {"heart_width_mm"}


def test_the_spread_is_the_median_one():
    assert "spreads by 0.0200" in spread_sentence(
        [pair(i, 0.5, 0.5, spread=s) for i, s in enumerate((0.01, 0.02, 0.09))]
    )
