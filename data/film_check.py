"""One film of a source, opened and checked against its row: what ingest takes and what it refuses."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.dicom import is_dicom, read_dicom
from data.loading import hash_file
from data.mask_check import check_mask, check_name_is_utf8
from data.reading import grey_levels, read_pixels, require_picture
from data.reasons import as_utf8, one_line, reason
from data.sources.files import inside
from db.ingest_rows import CheckedFilm, CheckedMask, Refusal
from db.records import SourceFilm

PHOTOMETRIC = ("MONOCHROME1", "MONOCHROME2", None)
SIDES = ("right_lung", "left_lung")
EXCHANGED = (
    "right_lung lies right of left_lung in the image; the patient's right is the image's left half, exchange them"
)


def check_film(film: SourceFilm, root: Path) -> tuple[CheckedFilm | None, list[Refusal]]:
    """Open a film and its masks; return what may be written (None: nothing) and what is refused.

    root: the source's folder, absolute and free of links. A film that cannot be used is refused whole; a film with a bad mask is
    kept without that mask.
    """
    try:
        _check_row(film)
        path = inside(root, film.file)
        image, bits_stored = _open(path, film.photometric_interpretation)
        content = hash_file(path)
    except (ValueError, OSError, MemoryError) as error:
        return None, [_refusal(film, "image", error)]
    masks, refusals = _check_masks(film, root, image)
    checked = CheckedFilm(
        film=replace(film, masks=()),
        rows=image.shape[0],
        columns=image.shape[1],
        bits_stored=bits_stored,
        content_sha256=content,
        masks=tuple(masks),
    )
    return checked, refusals


def _open(path: Path, photometric: str | None) -> tuple[np.ndarray, int]:
    """Decode a film of any kind; return its grey levels (H, W) in [0, 1], lungs dark, and its bits."""
    if path.is_file() and is_dicom(path):
        dicom = read_dicom(path, frontal_only=False)
        return dicom.image, dicom.bits_stored
    pixels = read_pixels(path)
    require_picture(pixels.values, path)
    return grey_levels(pixels, photometric), pixels.bits_stored


def _check_masks(film: SourceFilm, root: Path, image: np.ndarray) -> tuple[list[CheckedMask], list[Refusal]]:
    """Check a film's masks one by one, and that its lungs are not exchanged: a net trained on such masks learns nonsense.

    Where the source does not say whose right its right lung is, the lungs change sides instead.
    """
    masks, refusals = [], []
    for mask in film.masks:
        try:
            masks.append(check_mask(mask, root, image))
        except (ValueError, OSError, MemoryError) as error:
            refusals.append(_refusal(film, "mask", error))
    if film.sides_by_place:
        masks = [_other_side(checked) for checked in masks] if _lie_on_the_other_side(masks, image.shape[1]) else masks
    elif _exchanged(masks):
        masks, taken_off = _without_sides(film, masks)
        refusals += taken_off
    return masks, refusals


def check_rows_together(films: Sequence[CheckedFilm]) -> tuple[list[CheckedFilm], list[Refusal]]:
    """Return the films, refusing masks that only all rows of the same bytes together prove wrong.

    In a table with one row for each mask the two lungs of a film are in two rows: exchanged lungs are refused, and one picture
    for several structures.
    """
    rows: dict[str, list[CheckedMask]] = {}
    for film in films:
        rows.setdefault(film.content_sha256, []).extend(film.masks)
    shared = {content: _shared(masks) for content, masks in rows.items()}
    exchanged = {content for content, masks in rows.items() if _exchanged(masks)}
    kept, refusals = [], []
    for film in films:
        masks, twice = _without_shared(film, shared[film.content_sha256])
        refusals += twice
        if film.content_sha256 in exchanged:
            masks, taken_off = _without_sides(film.film, masks)
            refusals += taken_off
        kept.append(replace(film, masks=tuple(masks)))
    return kept, refusals


def _picture(checked: CheckedMask) -> tuple[str | None, int | None]:
    return checked.mask.file, checked.mask.lung_value


def _shared(masks: Iterable[CheckedMask]) -> set[tuple[str | None, int | None]]:
    """Return the pictures that are named for several structures, which no two look alike.

    Pictures without any pixel inside may be shared: they say that a structure is not there.
    """
    structures: dict[tuple, set[str]] = {}
    for checked in masks:
        if checked.mask.file is not None and checked.area_share > 0:
            structures.setdefault(_picture(checked), set()).add(checked.mask.structure)
    return {picture for picture, named in structures.items() if len(named) > 1}


def _without_shared(film: CheckedFilm, shared: Collection) -> tuple[list[CheckedMask], list[Refusal]]:
    """Return a film's masks without those of shared pictures, and a refusal for each."""
    words = "one picture for several structures; name each its own"
    refused = [
        _refusal(film.film, "mask", ValueError(f"{checked.mask.file}: {words}"))
        for checked in film.masks
        if _picture(checked) in shared
    ]
    return [checked for checked in film.masks if _picture(checked) not in shared], refused


def _exchanged(masks: Iterable[CheckedMask]) -> bool:
    """Tell whether a right lung lies right of a left one in the image; an empty mask has no place and says nothing."""
    middles = {side: [] for side in SIDES}
    for checked in masks:
        if checked.mask.structure in SIDES and checked.middle_column is not None:
            middles[checked.mask.structure].append(checked.middle_column)
    return max(middles["right_lung"], default=-np.inf) > min(middles["left_lung"], default=np.inf)


def _lie_on_the_other_side(masks: Sequence[CheckedMask], width: int) -> bool:
    """Tell whether single lungs lie where the other lung belongs; one alone is held against the film's middle."""
    middles = [checked.middle_column for checked in masks if checked.mask.structure in SIDES]
    if len(middles) == 1 and middles[0] is not None:
        lies = "right_lung" if middles[0] < width / 2 else "left_lung"
        return any(checked.mask.structure in SIDES and checked.mask.structure != lies for checked in masks)
    return _exchanged(masks)


def _other_side(checked: CheckedMask) -> CheckedMask:
    """Return a single lung's mask as that of the other lung, any other mask as it is."""
    structure = dict(zip(SIDES, SIDES[::-1], strict=True)).get(checked.mask.structure, checked.mask.structure)
    return replace(checked, mask=replace(checked.mask, structure=structure))


def _without_sides(film: SourceFilm, masks: Sequence[CheckedMask]) -> tuple[list[CheckedMask], list[Refusal]]:
    """Return the masks other than single lungs, and a refusal for each single lung."""
    kept = [checked for checked in masks if checked.mask.structure not in SIDES]
    return kept, [_refusal(film, "mask", ValueError(EXCHANGED))] * (len(masks) - len(kept))


def _check_row(film: SourceFilm) -> None:
    check_name_is_utf8(film.file)
    if not film.file:
        raise ValueError(f"the row of {film.patient_id} names no film; give its path relative to the table")
    if film.photometric_interpretation not in PHOTOMETRIC:
        got = film.photometric_interpretation
        raise ValueError(f"photometric interpretation {got}; wanted MONOCHROME1, MONOCHROME2 or nothing")


def _refusal(film: SourceFilm, what: str, error: Exception) -> Refusal:
    if isinstance(error, MemoryError):
        error = ValueError(f"{film.file}: {reason(error, Path(film.file))}")
    text = str(error) if film.file in str(error) or "/" in str(error) else f"{film.file}: {error}"
    words = text
    for file in (film.file, *(mask.file for mask in film.masks)):
        if file and f"{file}: " in words:  # a path may hold any words, those below among them
            words = words.partition(f"{file}: ")[2]
    return Refusal(file=as_utf8(film.file), what=what, reason=_reason(words), detail=one_line(text))


def _reason(text: str) -> str:
    """Return a few words, the same for the same fault, to count by. text: an error's, without the path that it begins with."""
    for words, short in (
        ("names no film", "row without a film"),
        ("photometric interpretation", "photometric interpretation not understood"),
        ("no such file", "missing file"),
        ("too large for this machine", "too large for the memory"),
        ("not UTF-8", "file name that is not UTF-8"),
        ("leads outside", "path leads outside the folder"),
        ("drive letter", "path is not relative to the table"),
        ("unreadable DICOM", "unreadable or truncated"),
        ("unreadable or truncated", "unreadable or truncated"),
        ("[Errno ", "cannot be read"),
        ("there is no picture in it", "no picture"),
        ("several pages", "several pages in one file"),
        ("wanted one grey picture", "not one grey picture"),
        ("on a film of", "mask of another size"),
        ("run-length code", "run-length code does not fit"),
        ("mask convention not stated", "mask_convention not stated"),
        ("mask provenance not stated", "mask_provenance not stated"),
        ("mask convention", "mask_convention not understood"),
        ("mask provenance", "mask_provenance not understood"),
        ("for several structures", "one mask for several structures"),
        ("all four corners", "inside and outside exchanged"),
        ("exchange them", "right and left lung exchanged"),
        ("; wanted 0 outside", "mask values not understood"),
        ("; wanted a grey picture", "mask values not understood"),
        ("; wanted few labels", "mask values not understood"),
    ):
        if words in text:
            return short
    return "cannot be used"
