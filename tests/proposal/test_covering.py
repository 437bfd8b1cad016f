"""Covered regions: only the region changes, and what is filled in is what such a region looks like without the finding."""

from dataclasses import replace

import numpy as np
import pytest

from proposal.covering import cover_evenly, cover_from_other_side, typical_filling
from proposal.films import SECOND, SIZE, draw_set, draw_variants, irrelevant_box, target_box
from proposal.interventions import CONCEPTS
from proposal.wording import LEFT, RIGHT


@pytest.fixture(scope="module")
def variants():
    return draw_variants(seed=3, people=8, hospital=SECOND, workers=1)


@pytest.fixture(scope="module")
def filling():
    return typical_filling(draw_set(seed=9, people=24, per_person=1, hospital=SECOND, workers=1))


def part(film, box):
    return film.image[box[0] : box[1], box[2] : box[3]].astype(float)


def with_finding(variants, concept):
    return variants["effusion" if concept == "side" else concept]


def test_a_cover_changes_its_region_alone(variants, filling):
    ways = [
        (filling.cover_target, target_box), (filling.cover_irrelevant, irrelevant_box),
        (cover_from_other_side, target_box), (cover_evenly, target_box),
    ]  # fmt: skip
    for concept in CONCEPTS:
        for film in with_finding(variants, concept):
            for cover, box_of in ways:
                top, bottom, left, right = box_of(film, concept)
                changed = cover(film, concept).image != film.image
                assert changed[top:bottom, left:right].any()
                changed[top:bottom, left:right] = False
                assert not changed.any() and cover(film, concept).truth == film.truth


def test_a_cover_takes_the_grey_of_the_films_own_rim(variants, filling):
    """A film 40 grey levels darker around the region gets a filling 40 darker."""
    film = replace(variants["nothing"][0], image=np.full((SIZE, SIZE), 150, np.uint8))
    darker = replace(film, image=film.image - 40)
    box = target_box(film, "heart")
    difference = part(filling.cover_target(film, "heart"), box) - part(filling.cover_target(darker, "heart"), box)
    assert np.abs(difference - 40).max() <= 1


def test_the_mean_region_is_that_of_films_without_the_finding():
    """Films of one grey but for a brighter region, where there is no finding: the mean holds the difference to the rim."""
    clean = draw_set(seed=9, people=1, per_person=1, hospital=SECOND, workers=1)[0]
    films = []
    for enlarged, excess in ((False, 30), (False, 50), (True, 200)):
        film = replace(clean, image=np.full((SIZE, SIZE), 40, np.uint8))
        film = replace(film, truth=replace(film.truth, ctr=0.6 if enlarged else 0.4, effusion=0, opacity=0))
        top, bottom, left, right = target_box(film, "heart")
        film.image[top:bottom, left:right] += np.uint8(excess)
        films.append(film)
    assert typical_filling(films).means["heart", "target", RIGHT] == pytest.approx(np.full((24, 24), 40.0), abs=1e-3)
    with pytest.raises(ValueError, match="every one of 1 films has heart"):
        typical_filling(films[2:])


def test_a_finding_on_one_side_is_covered_with_the_other_side_mirrored(variants):
    for concept in ("effusion", "opacity"):
        for film in variants[concept]:
            box = target_box(film, concept)
            turned = np.roll(
                film.image[:, ::-1], film.lungs[2] + film.lungs[3] - SIZE, axis=1
            )  # about the lungs' middle
            expected = part(replace(film, image=turned), box)
            assert np.array_equal(part(cover_from_other_side(film, concept), box), expected)


def test_a_region_filled_evenly_has_the_mean_grey_of_the_other_side(variants):
    for film in variants["opacity"]:
        top, bottom, left, right = target_box(film, "opacity")
        middle = (film.lungs[2] + film.lungs[3]) // 2
        other = film.image[top:bottom, 2 * middle - right : 2 * middle - left].mean()
        covered = part(cover_evenly(film, "opacity"), (top, bottom, left, right))
        assert covered.std() == 0 and abs(covered.mean() - other) <= 1
    film = variants["heart"][0]
    box = target_box(film, "heart")
    assert abs(part(cover_evenly(film, "heart"), box).mean() - part(film, box).mean()) <= 1


def test_a_left_finding_is_covered_on_the_left(variants, filling):
    film = variants["other side"][0]
    assert film.truth.effusion == LEFT
    columns = np.flatnonzero((filling.cover_target(film, "effusion").image != film.image).any(axis=0))
    assert columns.min() >= (film.lungs[2] + film.lungs[3]) // 2
