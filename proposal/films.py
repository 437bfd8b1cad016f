"""Phantom films with the findings one orders, for the protocol: sets of patients, and pairs that differ in one finding only."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from data.phantom.anatomy import build_chest, draw_patient, draw_pose
from data.phantom.devices import add_devices
from data.phantom.film import draw_frame
from data.phantom.measurements import measure_chest
from data.phantom.physics import expose
from data.phantom.tissue import Findings, build_tissue
from proposal.wording import LEFT, NONE, RIGHT, Truth, indication

SIZE, DRAWN_SIZE = 64, 128  # films are drawn larger and averaged down, so that edges are not jagged
TO_THE_IMAGES = {RIGHT: -1, LEFT: 1}  # the patient's right is on the image's left
Box = tuple[int, int, int, int]  # top, bottom, left, right in pixels, ends excluded
Order = tuple[bool | None, int | None, int | None]  # heart enlarged, effusion, opacity; None lets chance decide


@dataclass(frozen=True)
class Hospital:
    """Where films come from. ap_share: of AP films; informative: of indications (proposal.wording); gamma: of its displays."""

    ap_share: float = 0.0
    informative: float = 0.0
    gamma: float = 1.0


FIRST = Hospital()
SECOND = Hospital(ap_share=0.5, informative=0.45)
EXTERNAL = Hospital(ap_share=1.0, informative=0.0, gamma=1.7)


@dataclass(frozen=True)
class Film:
    """One film (SIZE, SIZE) uint8. lungs: (top, bottom, left, right) of both lungs' box in pixels, end excluded; heart: alike."""

    image: np.ndarray
    patient: str
    truth: Truth
    indication: str
    lungs: Box
    heart: Box


def draw(seed: int, person: int, number: int, hospital: Hospital, order: Order = (None, None, None)) -> Film:
    """Draw film `number` of a person. The same call with another order gives the same chest with other findings.

    Every stage has a random stream of its own, so that what is ordered does not move what is not. Half the hearts are large;
    45 films in 100 have an effusion and as many an opacity, more than in a hospital, so that few films suffice.
    """
    enlarged, effusion, opacity = _decide(np.random.default_rng([seed, person, number, 0]), order)
    own, pose_stream, chest_stream, tissue_stream, frame_stream, film_stream = (
        np.random.default_rng([seed, person, stream if stream == 1 else 10 * number + stream]) for stream in range(1, 7)
    )
    patient = draw_patient(own)
    wide, narrow = own.uniform(0.52, 0.62), own.uniform(0.40, 0.46)
    patient = replace(patient, heart_ratio=wide if enlarged else narrow)
    pose = draw_pose(pose_stream, "AP" if pose_stream.random() < hospital.ap_share else "PA")
    # The ratio of the film is the patient's plus what pose adds; here the order decides it, not the pose.
    chest = build_chest(patient, replace(pose, view="PA", inspiration=0.7), chest_stream)
    frame = draw_frame(chest, DRAWN_SIZE, frame_stream)
    tissue = build_tissue(chest, patient, pose, _findings(effusion, opacity, own), frame, tissue_stream)
    grey = expose(tissue.soft, tissue.bone, add_devices(chest, frame, pose, tissue_stream), frame, film_stream)
    ctr = next(value.value for value in measure_chest(chest) if value.name == "cardiothoracic_ratio")
    truth = Truth(ctr, effusion, opacity)
    small = grey.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3)) ** hospital.gamma
    return Film(
        np.uint8(np.round(255 * small)), f"{seed}-{person}", truth,
        indication(truth, np.random.default_rng([seed, person, number, 9]), hospital.informative),
        _box(tissue.right_lung | tissue.left_lung), _box(tissue.heart),
    )  # fmt: skip


def draw_set(seed: int, people: int, per_person: int, hospital: Hospital, workers: int = 2) -> list[Film]:
    """Draw per_person films of each of `people` persons, person by person."""
    calls = [(seed, person, number, hospital) for person in range(people) for number in range(per_person)]
    return _draw_all(calls, workers)


VARIANTS: dict[str, Order] = {
    "nothing": (False, NONE, NONE),
    "heart": (True, NONE, NONE),
    "effusion": (False, RIGHT, NONE),
    "other side": (False, LEFT, NONE),
    "opacity": (False, NONE, RIGHT),
}


def draw_variants(seed: int, people: int, hospital: Hospital, workers: int = 2) -> dict[str, list[Film]]:
    """Draw every person once per entry of VARIANTS: the same chest with one finding changed, in another exposure.

    Noise and grey scale differ between the films of a person: how many quanta are counted moves the detector's random stream.
    """
    calls = [(seed, person, 0, hospital, order) for order in VARIANTS.values() for person in range(people)]
    films = _draw_all(calls, workers)
    return {name: films[i * people : (i + 1) * people] for i, name in enumerate(VARIANTS)}


def target_box(film: Film, concept: str) -> Box:
    """Return the box (top, bottom, left, right) that holds what decides a concept, made from the masks' boxes.

    Its size follows the lungs, never the finding: a box cut to an enlarged heart would tell by its size what it hides.
    """
    top, bottom, left, right = film.lungs
    height, width, middle = bottom - top, right - left, (left + right) // 2
    if concept == "heart":
        centre = (film.heart[2] + film.heart[3]) // 2
        return _inside(top + round(0.4 * height), bottom, centre - round(0.36 * width), centre + round(0.36 * width))
    side = film.truth.opacity if concept == "opacity" else film.truth.effusion
    if concept == "opacity":
        reach = round(0.38 * width)  # of the outer lung: further in lies the heart, whose grey is not the lung's
        return _inside(top, bottom, *((left, left + reach) if side == RIGHT else (right - reach, right)))
    half = (left - 2, middle) if side == RIGHT else (middle, right + 2)
    return _inside(top + round(0.55 * height), bottom + round(0.15 * height), *half)


def irrelevant_box(film: Film, concept: str) -> Box:
    """Return a box of about the target's size in the same film where the concept does not show: above, or the other side."""
    top, bottom, left, right = target_box(film, concept)
    if concept == "opacity":
        return other_side(film, (top, bottom, left, right))
    return _inside(0, bottom - top, left, right)


def other_side(film: Film, box: Box) -> Box:
    """Return the box mirrored at the middle of both lungs."""
    middle = (film.lungs[2] + film.lungs[3]) // 2
    return _inside(box[0], box[1], 2 * middle - box[3], 2 * middle - box[2])


def mirror(film: Film) -> Film:
    """Return the film turned left to right; the truth stays as it was, for the test asks whether the answer turns with it."""
    return replace(film, image=film.image[:, ::-1].copy())


def _decide(rng: np.random.Generator, order: Order) -> tuple[bool, int, int]:
    drawn = (rng.random() < 0.5, _side(rng), _side(rng))
    return tuple(chance if asked is None else asked for asked, chance in zip(order, drawn, strict=True))


def _side(rng: np.random.Generator) -> int:
    return int(rng.choice([RIGHT, LEFT])) if rng.random() < 0.45 else NONE


def _findings(effusion: int, opacity: int, rng: np.random.Generator) -> Findings:
    """Turn an order into the phantom's terms; sizes are the person's own, so that variants share them."""
    level, x, y, radius, strength = rng.uniform([0.12, 0.40, 0.25, 0.28, 0.5], [0.35, 0.65, 0.55, 0.42, 0.85])
    fluid = (TO_THE_IMAGES[effusion], float(level)) if effusion else None
    clouds = ((float(TO_THE_IMAGES[opacity] * x), float(y), float(radius), float(strength)),) if opacity else ()
    return Findings(fluid, clouds)


def _box(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    shrink = DRAWN_SIZE // SIZE
    return rows[0] // shrink, rows[-1] // shrink + 1, columns[0] // shrink, columns[-1] // shrink + 1


def _inside(top: int, bottom: int, left: int, right: int) -> Box:
    return max(top, 0), min(bottom, SIZE), max(left, 0), min(right, SIZE)


def _draw_all(calls: list[tuple], workers: int) -> list[Film]:
    if workers <= 1:
        return [draw(*call) for call in calls]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_draw_one, calls, chunksize=16))


def _draw_one(call: tuple) -> Film:
    return draw(*call)
