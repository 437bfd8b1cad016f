"""Two evaluations held against each other."""

from pathlib import Path

import numpy as np
import pytest

from db.records import ImageRecord
from pipeline.comparison import Comparison, Other, compare_with, comparison_notes, comparison_table
from pipeline.results import result_lines
from pipeline.scoring import mask_sha256
from report.film_result import FilmResult
from unet.summary import compare_paired


def test_an_interval_of_few_patients_is_no_interval():
    bounds = {}
    for patients in (9, 10):
        paired = compare_paired([0.9] * patients, [0.8] * patients, [str(number) for number in range(patients)])
        bounds[patients] = comparison_table(Comparison(Path("other"), {"lungs": paired}, 0)).rows[0][3]
    assert bounds == {9: None, 10: "+0.1000 to +0.1000"}


def test_the_hash_of_a_mask_is_of_its_pixels_and_shape():
    mask = np.zeros((4, 6), bool)
    assert mask_sha256(mask) == mask_sha256(mask.copy()) != mask_sha256(mask.reshape(6, 4))
    changed = mask.copy()
    changed[3, 5] = True
    assert mask_sha256(changed) != mask_sha256(mask)


def scored(number: int, **scores: tuple[float, str]) -> FilmResult:
    rows = [
        {"structure": name, "dice": dice, "reference_sha256": reference} for name, (dice, reference) in scores.items()
    ]
    record = ImageRecord(
        image_id=number, source="a", file=f"{number}.png", path=None, patient_id=f"p{number}", split="test", height=9, width=9,
        photometric_interpretation=None, spacing_mm=None, content_sha256="",
    )  # fmt: skip
    return FilmResult(record, rows, b"")


def test_masks_that_were_drawn_anew_are_left_out_and_counted():
    other = Other(Path("other"), {
        ("a", "1.png", "heart"): (0.7, "old"), ("a", "1.png", "lungs"): (0.9, "same"),
        ("a", "2.png", "heart"): (0.8, "same"), ("a", "3.png", "heart"): (0.5, ""), ("b", "4.png", "heart"): (0.1, "old"),
    })  # fmt: skip
    results = [scored(1, heart=(0.9, "new"), lungs=(0.95, "same")), scored(2, heart=(0.9, "same")),
               scored(3, heart=(0.6, "new")), scored(4, heart=(0.6, "new"))]  # fmt: skip
    comparison = compare_with(other, results)
    assert {name: (c.films, c.difference.value) for name, c in comparison.structures.items()} == {
        "lungs": (1, pytest.approx(0.05)), "heart": (2, pytest.approx(0.1)),
    }  # fmt: skip
    assert comparison.redrawn == 1
    told = (
        "1 film has a reference mask that changed after other was scored; these masks are left out of the comparison."
    )
    assert list(comparison_notes(comparison)) == [told] and comparison_table(comparison).caption.endswith(told)


def test_a_network_that_had_learnt_from_its_films_is_named():
    other = Other(Path("other"), {("a", "1.png", "heart"): (0.7, "same")}, 16)
    comparison = compare_with(other, [scored(1, heart=(0.9, "same"))])
    (told,) = comparison_notes(comparison)
    assert (
        told == "other had learnt from, or was chosen by, 16 films that it scored: its Dice is not one of unseen films."
    )
    assert list(comparison_notes(Comparison(Path("other"), comparison.structures))) == []


def test_where_all_masks_were_drawn_anew_nothing_is_compared_and_nothing_lost():
    comparison = compare_with(
        Other(Path("other"), {("a", "1.png", "heart"): (0.7, "old")}), [scored(1, heart=(0.9, "new"))]
    )
    assert comparison == Comparison(Path("other"), {}, 1)
    summary = {"structures": {}, "predicted_quality": {}, "without_truth": 0, "trained_on": 0, "remarks": {}}
    lines = list(result_lines(summary, [], comparison))
    assert lines[-2] == "No film was scored with the same reference mask here and in other: nothing to compare."
    assert lines[-1].startswith("1 film has a reference mask that changed")
