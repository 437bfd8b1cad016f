"""What the evaluation's page says in words."""

import pytest

from report.evaluation import reading_help
from report.evaluation_figures import group_figure


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


def test_the_figure_of_groups_shows_one_structure_and_says_which():
    def row(structure, level, dices):
        return {"grouping": "sex", "structure": structure, "level": level, "films": len(dices), "dices": dices}

    heart = [row("heart", "F", [0.5, 0.6, 0.7]), row("heart", "M", [0.7, 0.8, 0.8])]
    right = [row("right_lung", "F", [0.95, 0.96, 0.96]), row("right_lung", "M", [0.97, 0.98, 0.99, 0.99])]
    figure = group_figure([*heart, *right])
    assert figure.axes[-1].get_xlabel() == "Dice of right lung (dotted: 0.9)"
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["M (n = 4)", "F (n = 3)"]
    assert group_figure(heart[:1]) is None
