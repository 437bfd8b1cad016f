"""Pictures of where the network looks: Seg-Grad-CAM and the occlusion test beside each other."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from data.dataset import prepare
from data.found_films import names_for
from data.loading import load_film
from data.overlay import encode_picture, overlay
from data.panels import side_by_side, tint
from data.reasons import as_utf8, one_line, reason
from data.resize import Letterbox, to_square
from data.writing import FATAL, atomic_file
from pipeline.film_view import view_film
from pipeline.predictor import Predictor
from report.run_folder import write_csv
from unet.explain import occlusion, seg_grad_cam

EXPLAINED = ("file", "name", "picture", "structure", "region", "found")
SHOWN_SIDE = 512  # pixels; smaller squares are enlarged by a whole number


def explain_films(
    films: Sequence[Path], predictor: Predictor, structure: str, region: Sequence[str], photometric: str, out: Path
) -> list[tuple[Path, str]]:
    """Write explain/<film>-<structure>.png for every film and print a line each; return the films that failed, and why.

    region: top, left, height, width in pixels of the film; empty: the structure's own predicted mask. explain.csv lists the
    pictures of all calls into the folder, so that films of one name never get each other's; a film's own is replaced.
    """
    frame = parse_region(region)
    (out / "explain").mkdir(parents=True, exist_ok=True)
    listed = read_listed(out)
    names = names_for(films, {Path(file): name for file, name, *_ in listed.values()})
    failed = []
    for film in films:
        path = out / "explain" / f"{names[film]}-{structure}.png"
        try:
            picture, sentence = explain_file(film, predictor, structure, frame, photometric)
            with atomic_file(path) as file:
                file.write(encode_picture(picture))
        except Exception as error:  # one odd film must not keep the others from being done
            if getattr(error, "errno", None) in FATAL:
                raise
            failed.append((film, reason(error, film)))
            continue
        listed[path.name] = (
            as_utf8(film),
            names[film],
            path.name,
            structure,
            ",".join(map(str, frame or ())),
            sentence,
        )
        write_csv(out / "explain.csv", EXPLAINED, listed.values())
        print(f"{one_line(as_utf8(path))}: {sentence}")
    return failed


def read_listed(out: Path) -> dict[str, tuple[str, ...]]:
    """Return the rows of explain.csv, EXPLAINED, by picture; none where there is no such file."""
    path = out / "explain.csv"
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["picture"]: tuple(row[column] for column in EXPLAINED) for row in csv.DictReader(file)}


def explain_file(
    film: Path, predictor: Predictor, structure: str, frame: tuple[int, int, int, int] | None, photometric: str
) -> tuple[np.ndarray, str]:
    """Do as `explain_film` for a file, with inverted grey levels corrected and what makes its masks doubtful said."""
    view = view_film(predictor, load_film(film, photometric).image, None, fix_orientation=None)
    picture, sentence = explain_film(view.image, predictor, structure, frame)
    said = [sentence, *view.remarks, *([f"masks doubtful: {', '.join(view.review)}"] if view.review else [])]
    return picture, "; ".join(said)


def explain_film(
    image: np.ndarray, predictor: Predictor, structure: str, frame: tuple[int, int, int, int] | None
) -> tuple[np.ndarray, str]:
    """Return the picture for one film (H, W) in [0, 1], and a sentence; ValueError where the region holds nothing to explain."""
    prepared, box = prepare(torch.from_numpy(image), predictor.preprocessing)
    if frame is None:
        inside = predictor.masks(image)[structure]
        empty = f"no {structure} was found on the film, so there is nothing to explain; name a --region"
    else:
        top, left, height, width = frame
        inside = np.zeros(image.shape, bool)
        inside[top : top + height, left : left + width] = True
        fault = f"lies outside the film of {image.shape[0]} x {image.shape[1]} pixels"
        if inside.any():
            fault = f"is too small for the network's square of {box.size} pixels, or lies in the border that is cut"
        empty = f"--region {','.join(map(str, frame))} {fault}"
    region = to_square(torch.from_numpy(inside)[None].float(), box)[0] >= 0.5
    if not region.any():
        raise ValueError(empty)
    where, channel = prepared[None].to(predictor.device), predictor.structures.index(structure)
    region = region.to(predictor.device)
    cam = seg_grad_cam(predictor.model, where, channel, region, predictor.model.downs[-1]).cpu()
    film = torch.zeros_like(region)
    film[inner_of(box)] = True
    falls = occlusion(predictor.model, where, channel, region, film=film)
    agreement = "one of the maps is the same everywhere, so they have no correlation"
    if cam.min() < cam.max() and falls.min() < falls.max():
        agreement = f"the two maps correlate with {np.corrcoef(cam.flatten(), falls.flatten())[0, 1]:.2f}"
    picture = draw(prepared[0].numpy(), region.cpu().numpy(), cam.numpy(), falls.numpy(), structure, box)
    return picture, (f"covering a square lowers the mean probability by {float(falls.max()):.3f} at most; {agreement}")


def parse_region(texts: Sequence[str]) -> tuple[int, int, int, int] | None:
    """Read top, left, height, width; None for nothing. Raises ValueError for anything else."""
    if not texts:
        return None
    if len(texts) != 4 or not all(text.strip().isdigit() for text in texts) or not int(texts[2]) * int(texts[3]):
        raise ValueError(f"--region {','.join(texts)}: wanted TOP,LEFT,HEIGHT,WIDTH in pixels of the film")
    top, left, height, width = map(int, texts)
    return top, left, height, width


def inner_of(box: Letterbox) -> tuple[slice, slice]:
    """Return where the film lies in the network's square."""
    return slice(box.top, box.top + box.inner_height), slice(box.left, box.left + box.inner_width)


def draw(
    film: np.ndarray, region: np.ndarray, cam: np.ndarray, falls: np.ndarray, structure: str, box: Letterbox
) -> np.ndarray:
    """Draw region, Seg-Grad-CAM and occlusion over what the network saw, without the padding of its square."""
    inner = inner_of(box)
    times = max(1, SHOWN_SIDE // box.size)
    film, region, cam, falls = (
        np.repeat(np.repeat(plane[inner], times, axis=0), times, axis=1) for plane in (film, region, cam, falls)
    )
    largest = float(np.abs(falls).max()) or 1.0
    return side_by_side(
        {
            f"{structure}: region": overlay(film, {structure: region}, longest_side=max(film.shape)),
            "Seg-Grad-CAM": tint(film, cam, 1.0),
            f"covered: lower by {largest:.2g} (orange), higher (blue)": tint(film, falls, largest),
        }
    )
