"""Pictures of where the network looks: Seg-Grad-CAM and the occlusion test beside each other."""

import csv
from collections.abc import Mapping, Sequence
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
from pipeline.film_view import view_film, with_header
from pipeline.predictor import Predictor
from report.run_folder import write_csv
from unet.explain import occlusion, seg_grad_cam

EXPLAINED = ("file", "name", "picture", "structure", "region", "found")
SHOWN_SIDE = 512  # pixels; smaller squares are enlarged by a whole number


def explain_films(
    films: Sequence[Path], predictor: Predictor, structure: str, region: Sequence[str], photometric: str, out: Path
) -> list[tuple[str, str]]:
    """Write explain/<film>-<structure>[-<region>].png of every film and print a line each; return the films that failed and why.

    region: top, left, height, width in pixels of the film; empty: the structure's own predicted mask. explain.csv lists the
    pictures of all calls into the folder, so that films of one name never get each other's; a film's own is replaced.
    """
    frame = parse_region(region)
    (out / "explain").mkdir(parents=True, exist_ok=True)
    listed = read_listed(out)
    given = {file: name for file, name, *_ in listed.values()}
    own = {film: given[as_utf8(film)] for film in films if as_utf8(film) in given}
    names = names_for(films, own, list(given.values()))
    failed = []
    for film in films:
        path = out / "explain" / f"{'-'.join(map(str, (names[film], structure, *(frame or ()))))}.png"
        try:
            picture, sentence = explain_file(film, predictor, structure, frame, photometric)
            with atomic_file(path) as file:
                file.write(encode_picture(picture))
        except Exception as error:  # one odd film must not keep the others from being done
            if getattr(error, "errno", None) in FATAL:
                raise
            failed.append((as_utf8(film), reason(error, film)))
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
        table = csv.DictReader(file)
        if not set(EXPLAINED) <= set(table.fieldnames or ()):
            raise ValueError(
                f"{path}: not a table of this command's, with columns {','.join(EXPLAINED)}; name another --out"
            )
        rows = {row["picture"]: tuple(row[column] for column in EXPLAINED) for row in table}
    outside = [name for _, name, *_ in rows.values() if Path(name).name != name]
    if outside:
        raise ValueError(f"{path}: {outside[0]!r} is no name of a picture; name another --out")
    return rows


def explain_file(
    film: Path, predictor: Predictor, structure: str, frame: tuple[int, int, int, int] | None, photometric: str
) -> tuple[np.ndarray, str]:
    """Do as `explain_film` for a file, with inverted grey levels corrected and what makes its masks doubtful said."""
    loaded = load_film(film, photometric)
    view = with_header(view_film(predictor, loaded.image, None, fix_orientation=None), loaded, predictor.learnt_from)
    picture, sentence = explain_film(view.image, predictor, structure, frame, view.masks)
    said = [sentence, *view.remarks, *([f"masks doubtful: {', '.join(view.review)}"] if view.review else [])]
    return picture, "; ".join(said)


def explain_film(
    image: np.ndarray,
    predictor: Predictor,
    structure: str,
    frame: tuple[int, int, int, int] | None,
    masks: Mapping[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, str]:
    """Return the picture for one film (H, W) in [0, 1], and a sentence; ValueError where the region holds nothing to explain.

    masks: those predicted for the film, where they are known already.
    """
    prepared, box = prepare(torch.from_numpy(image), predictor.preprocessing)
    if frame is None:
        inside, what = (masks or predictor.masks(image))[structure], f"the {structure} that was found"
        if not inside.any():
            raise ValueError(f"no {structure} was found on the film, so there is nothing to explain; name a --region")
    else:
        inside, what = in_frame(frame, image.shape), f"--region {','.join(map(str, frame))}"
    region = to_square(torch.from_numpy(inside)[None].float(), box)[0] >= 0.5
    if not region.any():
        raise ValueError(
            f"{what} is too small for the network's square of {box.size} pixels, or lies in the border that is cut"
        )
    where, channel = prepared[None].to(predictor.device), predictor.structures.index(structure)
    region = region.to(predictor.device)
    cam = seg_grad_cam(predictor.model, where, channel, region, predictor.model.downs[-1]).cpu()
    film = torch.zeros_like(region)
    film[inner_of(box)] = True
    temperature = predictor.checkpoint.temperatures()[structure]
    falls = occlusion(predictor.model, where, channel, region, film=film, temperature=temperature)
    shown = [plane.cpu().numpy()[inner_of(box)] for plane in (prepared[0], region, cam, falls)]  # without the padding
    picture = draw(*shown, structure, max(1, SHOWN_SIDE // box.size))
    return picture, in_words(*shown[2:])


def in_frame(frame: tuple[int, int, int, int], shape: tuple[int, int]) -> np.ndarray:
    """Return top, left, height and width as a bool mask of a film's shape; ValueError where not all of it lies on the film."""
    top, left, height, width = frame
    if top + height > shape[0] or left + width > shape[1]:
        raise ValueError(
            f"--region {','.join(map(str, frame))} lies outside the film of {shape[0]} x {shape[1]} pixels, or reaches beyond it"
        )
    inside = np.zeros(shape, bool)
    inside[top : top + height, left : left + width] = True
    return inside


def in_words(cam: np.ndarray, falls: np.ndarray) -> str:
    """Say what the largest fall on the film is, and how alike its two maps (h, w) are."""
    largest, agreement = float(falls.max()), "one of the maps is the same everywhere, so they have no correlation"
    if cam.min() < cam.max() and falls.min() < falls.max():
        agreement = f"the two maps correlate with {np.corrcoef(cam.ravel(), falls.ravel())[0, 1]:.2f}"
    fall = f"by {largest:.3f} (mean of the squares over that place)" if largest > 0 else "nowhere"
    return f"at the place that matters most, covering lowers the mean probability {fall}; {agreement}"


def parse_region(texts: Sequence[str]) -> tuple[int, int, int, int] | None:
    """Read top, left, height, width; None for nothing. Raises ValueError for anything else."""
    if not texts:
        return None
    if len(texts) != 4 or not all(text.strip().isdecimal() for text in texts) or not int(texts[2]) * int(texts[3]):
        raise ValueError(f"--region {','.join(texts)}: wanted TOP,LEFT,HEIGHT,WIDTH in pixels of the film")
    top, left, height, width = map(int, texts)
    return top, left, height, width


def inner_of(box: Letterbox) -> tuple[slice, slice]:
    """Return where the film lies in the network's square."""
    return slice(box.top, box.top + box.inner_height), slice(box.left, box.left + box.inner_width)


def draw(
    film: np.ndarray, region: np.ndarray, cam: np.ndarray, falls: np.ndarray, structure: str, times: int
) -> np.ndarray:
    """Draw region, Seg-Grad-CAM and occlusion over a film, all (h, w), enlarged by a whole number."""
    film, region, cam, falls = (
        np.repeat(np.repeat(plane, times, axis=0), times, axis=1) for plane in (film, region, cam, falls)
    )
    cam = cam / (float(cam.max()) or 1.0)  # its largest value may lie in the padding
    largest = float(np.abs(falls).max()) or 1.0
    return side_by_side(
        {
            f"{structure}: region": overlay(film, {structure: region}, longest_side=max(film.shape)),
            "Seg-Grad-CAM": tint(film, cam, 1.0),
            f"covered: lower by {largest:.2g} (orange), higher (blue)": tint(film, falls, largest),
        }
    )
