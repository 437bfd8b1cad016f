"""What hospitals add to a chest: lines, tubes, pacemakers, electrodes, and letters and borders on the picture."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data.phantom.anatomy import Chest, Pose, spline
from data.phantom.canvas import Frame


def add_devices(chest: Chest, frame: Frame, pose: Pose, rng: np.random.Generator) -> np.ndarray:
    """Return the thickness of metal in mm, (size, size); patients lying in bed carry more of it."""
    h, w = chest.height_mm, chest.half_width_mm
    lines: list[tuple[np.ndarray, float]] = []
    plates = np.zeros((frame.size, frame.size), np.float32)
    likely = 0.55 if pose.supine else 0.12
    if rng.random() < likely:  # central line
        side = rng.choice([-1, 1])
        lines.append(
            (
                spline(
                    [(side * 0.5 * w, -0.1 * h), (side * 0.3 * w, 0.1 * h), (-0.08 * w, 0.3 * h), (-0.1 * w, 0.45 * h)]
                ),
                1.0,
            )
        )
    if rng.random() < 0.8 * likely:  # tube in the windpipe, or into the stomach
        lines.append((spline([(0, -0.5 * h), (0.01 * w, 0), (0.02 * w, rng.uniform(0.25, 1.2) * h)]), 1.2))
    for _ in range(rng.integers(1, 4) if rng.random() < likely else 0):  # electrodes and their wires
        spot = np.array([rng.uniform(-0.9, 0.9) * w, rng.uniform(0.0, 0.9) * h])
        end = spot + (rng.normal(0, 0.5) * w, rng.uniform(0.4, 0.9) * h)
        lines.append((spline([tuple(spot), tuple((spot + end) / 2 + rng.normal(0, 20, 2)), tuple(end)]), 0.8))
        plates += 1.5 * frame.coverage(_circle(spot, rng.uniform(5, 9)))
    if rng.random() < 0.06:  # pacemaker
        box = np.array([rng.choice([-1, 1]) * rng.uniform(0.5, 0.7) * w, rng.uniform(0.12, 0.25) * h])
        plates += 6 * frame.coverage(_circle(box, rng.uniform(17, 24)) * (1, 0.9) + (0, 0.1 * box[1]))
        lines.append(
            (spline([tuple(box), (0.1 * np.sign(box[0]) * w, 0.25 * h), (-0.1 * w, 0.5 * h), (0.2 * w, 0.85 * h)]), 1.2)
        )
    return plates + 0.5 * frame.strokes(lines) if lines else plates


def burn_letters(image: np.ndarray, pose: Pose, rng: np.random.Generator) -> np.ndarray:
    """Return the film with side letter, view and number written into it, and with collimated black or white borders."""
    size = image.shape[0]
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    white = int(rng.integers(200, 256))
    if rng.random() < 0.7:
        letter = {"PA": rng.choice(["R", "R PA", "R PA ERECT"]), "AP": rng.choice(["R", "AP", "R AP SUPINE"])}[
            pose.view
        ]
        font = ImageFont.load_default(size=int(size * rng.uniform(0.025, 0.06)))
        draw.text((rng.uniform(0.02, 0.2) * size, rng.uniform(0.02, 0.2) * size), str(letter), fill=white, font=font)
    if rng.random() < 0.25:
        font = ImageFont.load_default(size=int(size * rng.uniform(0.02, 0.035)))
        text = f"{rng.integers(10**6, 10**7)}  {rng.integers(1, 29)}.{rng.integers(1, 13)}."
        place = (rng.uniform(0.5, 0.75) * size, rng.choice([0.02, 0.93]) * size)
        if rng.random() < 0.4:
            draw.rectangle(draw.textbbox(place, text, font=font), fill=white)
            white = 20
        draw.text(place, text, fill=white, font=font)
    image = np.array(picture)
    if rng.random() < 0.3:
        border = int(rng.choice([0, 0, 0, 255]))
        cut = (rng.uniform(0, 0.035, 4) * size).astype(int)
        image[: cut[0]] = image[:, : cut[1]] = border
        image[size - cut[2] :] = image[:, size - cut[3] :] = border
    return image


def _circle(centre: np.ndarray, radius: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 32)
    return centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
