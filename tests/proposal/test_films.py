"""Ordered phantom films: what is ordered comes, the person stays, the boxes are honest."""

import numpy as np
import pytest

from proposal.films import (
    EXTERNAL,
    SECOND,
    SIZE,
    VARIANTS,
    draw,
    draw_set,
    draw_variants,
    irrelevant_box,
    mirror,
    target_box,
)
from proposal.wording import LEFT, NONE, RIGHT


@pytest.fixture(scope="module")
def variants():
    return draw_variants(seed=3, people=2, hospital=SECOND, workers=1)


def test_same_call_same_film():
    first, second = draw(1, 4, 0, SECOND), draw(1, 4, 0, SECOND)
    assert np.array_equal(first.image, second.image) and first.truth == second.truth
    assert first.image.shape == (SIZE, SIZE) and first.image.dtype == np.uint8
    assert not np.array_equal(first.image, draw(1, 4, 1, SECOND).image)


def test_orders_are_obeyed_and_the_rest_stays(variants):
    for person in range(2):
        truths = {name: films[person].truth for name, films in variants.items()}
        for name, (enlarged, effusion, opacity) in VARIANTS.items():
            assert truths[name].told() == (int(enlarged), effusion, opacity)
        assert truths["effusion"].ctr == truths["nothing"].ctr < 0.5 < truths["heart"].ctr
        assert len({films[person].patient for films in variants.values()}) == 1


def test_fluid_brightens_the_ordered_side(variants):
    for right_film, left_film in zip(variants["effusion"], variants["other side"], strict=True):
        box = target_box(right_film, "effusion")
        outside = target_box(left_film, "effusion")
        assert outside[2] > box[3] - 3  # the patient's left lies further right in the image

        def excess(film, box=box, outside=outside):
            area = [film.image[b[0] : b[1], b[2] : b[3]].astype(float).mean() for b in (box, outside)]
            return area[0] - area[1]

        assert excess(right_film) > excess(left_film)


def test_heart_box_does_not_tell_the_hearts_size(variants):
    for small, large in zip(variants["nothing"], variants["heart"], strict=True):
        (_, _, a, b), (_, _, c, d) = target_box(small, "heart"), target_box(large, "heart")
        assert abs((b - a) - (d - c)) <= 1


@pytest.mark.parametrize("concept", ["heart", "effusion", "opacity"])
def test_target_and_irrelevant_boxes_are_of_one_size_and_mostly_apart(variants, concept):
    for film in variants[concept]:
        target, other = target_box(film, concept), irrelevant_box(film, concept)
        areas = [(box[1] - box[0]) * (box[3] - box[2]) for box in (target, other)]
        assert 0.85 < areas[0] / areas[1] < 1.18
        rows = max(0, min(target[1], other[1]) - max(target[0], other[0]))
        columns = max(0, min(target[3], other[3]) - max(target[2], other[2]))
        assert rows * columns < 0.35 * areas[0]


def test_a_mirrored_film_is_turned_left_to_right(variants):
    film = variants["heart"][0]
    assert np.array_equal(mirror(film).image[:, 0], film.image[:, -1])


def test_sets_count_people_and_films():
    films = draw_set(5, people=3, per_person=2, hospital=EXTERNAL, workers=1)
    assert [film.patient for film in films] == ["5-0", "5-0", "5-1", "5-1", "5-2", "5-2"]
    assert {film.truth.effusion for film in draw_set(6, 8, 1, SECOND, workers=1)} <= {NONE, RIGHT, LEFT}
