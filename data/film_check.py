"""One film of a source, opened and held against its row: what ingest takes and what it refuses."""

import hashlib
from dataclasses import replace
from pathlib import Path

from data.masks import describe_values, load_mask
from data.reading import read_pixels
from db.ingest_rows import CheckedFilm, CheckedMask, Refusal
from db.records import SourceFilm, SourceMask

PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", None)


def check_film(film: SourceFilm, root: Path) -> tuple[CheckedFilm | None, list[Refusal]]:
    """Open a film and its masks; return what may be written (None: nothing) and what is refused.

    root: the source's folder, absolute and free of links. A film that cannot be used is refused whole; a film with a bad mask is
    kept without that mask.
    """
    if film.photometric_interpretation not in PHOTOMETRIC:
        got = film.photometric_interpretation
        detail = f"{film.file}: photometric interpretation {got}; wanted MONOCHROME1, MONOCHROME2 or nothing"
        return None, [
            Refusal(file=film.file, what="image", reason="photometric interpretation not understood", detail=detail)
        ]
    try:
        path = inside(root, film.file)
        pixels = read_pixels(path)
    except (ValueError, OSError) as error:
        return None, [Refusal(file=film.file, what="image", reason=_reason(error), detail=str(error))]
    height, width = pixels.values.shape
    masks, refusals = [], []
    for mask in film.masks:
        try:
            masks.append(check_mask(mask, root, height, width))
        except (ValueError, OSError) as error:
            refusals.append(Refusal(file=film.file, what="mask", reason=_reason(error), detail=str(error)))
    checked = CheckedFilm(
        film=replace(film, masks=()),
        rows=height,
        columns=width,
        bits_stored=pixels.bits_stored,
        content_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        masks=tuple(masks),
    )
    return checked, refusals


def check_mask(mask: SourceMask, root: Path, height: int, width: int) -> CheckedMask:
    """Open one mask and return it with its grey values and area; ValueError says what is wrong with it."""
    path = None if mask.file is None else inside(root, mask.file)
    area = load_mask(mask, path, height, width)
    values = None if path is None else describe_values(read_pixels(path).values)
    return CheckedMask(mask=mask, values_seen=values, area_share=float(area.mean()))


def inside(root: Path, file: str) -> Path:
    """Return root / file, which must lie below root also after following links; ValueError where it leads outside."""
    path = (root / file).resolve()
    if not path.is_relative_to(root):
        raise ValueError(f"{file}: the path leads outside the source's folder {root}; move the file into it")
    return path


def _reason(error: Exception) -> str:
    """A few words that are the same for the same fault, to count by."""
    text = str(error)
    for words, reason in (
        ("no such file", "missing file"),
        ("leads outside", "path leads outside the folder"),
        ("unreadable or truncated", "unreadable or truncated"),
        ("on a film of", "mask of another size"),
        ("run-length code", "run-length code does not fit"),
        ("; wanted 0 outside", "mask values not understood"),
    ):
        if words in text:
            return reason
    return "cannot be used"
