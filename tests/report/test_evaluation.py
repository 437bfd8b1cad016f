"""What the evaluation's page says in words."""

import pytest

from report.evaluation import reading_help


def part(empty, films=40):
    return {"dice": {"films": films, "patients": 38, "mean": 0.97, "p5": 0.94, "below": 0.025, "empty": empty}}


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
    assert text.startswith("On 40 films of 38 patients the lungs' masks overlap") and text.endswith(
        f"below 0.9. {words}"
    )
