import numpy as np
import pytest
import torch

from pipeline.orientation import AS_STORED, MIRROR, OTHERS, Placement, find_placement, place, unplace

IMAGE = np.arange(12, dtype=np.float32).reshape(3, 4) / 12


@pytest.mark.parametrize("placement", [AS_STORED, MIRROR, *OTHERS, Placement(True, True, 3)])
def test_a_mask_of_the_placed_film_comes_back_to_the_same_pixels(placement):
    upright = Placement(False, *placement[1:])
    assert np.array_equal(unplace(place(IMAGE, upright), placement), IMAGE)
    assert place(IMAGE, placement).shape == ((4, 3) if placement.quarter_turns % 2 else (3, 4))


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
@pytest.mark.parametrize("placement", [AS_STORED, MIRROR, *OTHERS])
def test_a_film_with_a_side_of_one_pixel_is_placed_as_an_array_that_torch_takes(shape, placement):
    film = np.random.default_rng(0).random(shape, np.float32)
    placed = torch.from_numpy(place(film, placement))
    assert placed.shape == (shape[::-1] if placement.quarter_turns % 2 else shape)
    assert torch.from_numpy(unplace(placed.numpy(), placement)).shape == shape


def test_placing_inverts_mirrors_and_turns_counter_clockwise():
    assert np.allclose(place(IMAGE, Placement(inverted=True)), 1 - IMAGE)
    assert place(IMAGE, MIRROR)[0, 0] == IMAGE[0, 3]
    assert place(IMAGE, Placement(quarter_turns=1))[0, 0] == IMAGE[0, 3]


def judge_of(values, asked):
    def judge(placement):
        asked.append(placement)
        return values.get(placement, 3.0)

    return judge


def test_a_usual_film_is_not_looked_at_again_and_one_little_off_only_mirrored():
    asked = []
    assert find_placement(0.35, 0.1, judge_of({}, asked)) == AS_STORED and asked == []
    assert find_placement(0.7, 0.7, judge_of({MIRROR: 0.6}, asked)) == MIRROR and asked == [MIRROR]
    assert find_placement(0.4, 0.4, judge_of({MIRROR: 0.37}, [])) == AS_STORED


def test_a_film_a_little_off_that_would_be_stranger_mirrored_is_not_looked_at_again():
    asked = []
    assert find_placement(0.7, 0.95, judge_of({MIRROR: 0.1}, asked)) == AS_STORED and asked == []
    assert find_placement(0.7, 0.85, judge_of({MIRROR: 0.1}, asked)) == MIRROR
    assert find_placement(0.8, 3.0, judge_of({MIRROR: 0.1}, [])) == MIRROR  # clearly strange: everything is tried


def test_the_least_strange_placement_wins_where_it_is_clearly_less_and_itself_not_strange():
    inverted, turned = Placement(inverted=True), Placement(quarter_turns=2)
    assert find_placement(2.0, 2.0, judge_of({inverted: 0.6, turned: 0.4}, [])) == turned
    assert find_placement(2.0, 2.0, judge_of({inverted: 1.2}, [])) == AS_STORED
    assert find_placement(0.9, 0.9, judge_of({inverted: 0.8, MIRROR: 0.85}, [])) == AS_STORED


def test_nothing_more_is_tried_once_a_placement_is_not_strange():
    asked = []
    inverted, turned = Placement(inverted=True), Placement(quarter_turns=2)
    assert find_placement(2.0, 2.0, judge_of({inverted: 0.35, turned: 0.3}, asked)) == inverted == asked[0]
    assert len(asked) == 1
    assert find_placement(2.0, 2.0, judge_of({turned: 0.3}, asked)) == turned == asked[-1]
    assert len(asked) < 1 + 8
