"""DICOM films, read with pydicom where it is installed: only frontal chest films, lungs dark, grey levels in [0, 1]."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.reading import MOST_PIXELS

MODALITIES = ("CR", "DX", "RG")
LATERAL = ("LL", "RL", "LATERAL", "LAT")
SPACINGS = (("PixelSpacing", "at the patient"), ("ImagerPixelSpacing", "at the detector"))


class DicomFilm(NamedTuple):
    """image (H, W) float32 in [0, 1], lungs dark; spacing_mm (row, column) or None; remarks: what the header warns of."""

    image: np.ndarray
    spacing_mm: tuple[float, float] | None
    remarks: tuple[str, ...] = ()


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM: the word DICM after 128 bytes, or the ending .dcm."""
    if path.suffix.lower() == ".dcm":
        return True
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom(path: Path) -> DicomFilm:
    """Read a frontal chest radiograph; ValueError says why a file is not one, ModuleNotFoundError how to get pydicom.

    The order matters: modality transform, value-of-interest window, and only then the inversion of MONOCHROME1.
    """
    try:
        return _read(path)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: reading DICOM needs pydicom; install it with `pip install pydicom`"
        ) from error
    except Exception as error:  # foreign bytes break pydicom in many ways; all of them mean the same to the user
        if isinstance(error, ValueError) and str(error).startswith(f"{path}:"):
            raise  # one of ours, which says why
        raise ValueError(f"{path}: unreadable DICOM file ({error}); export it anew") from error


def _read(path: Path) -> DicomFilm:
    import pydicom
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    film = pydicom.dcmread(path)
    _check_kind(film, path)
    _check_size(film, path)
    for name in ("RescaleSlope", "RescaleIntercept"):
        if film.get(name, 1) in (None, ""):  # there, but empty
            del film[name]
    stored = film.pixel_array
    values = np.asarray(apply_voi_lut(apply_modality_lut(stored, film), film), np.float64)
    if values.ndim != 2:
        raise ValueError(f"{path}: {values.shape} pixels; wanted one grey picture, not a series or colour")
    spacing, remark = _spacing(film)
    image = _scaled(values, stored != film.get("PixelPaddingValue"), film, path)
    return DicomFilm(image, spacing, (*([remark] if remark else []), *_warnings(film)))


def _check_kind(film, path: Path) -> None:
    modality = str(film.get("Modality", "") or "")
    if modality and modality not in MODALITIES:
        raise ValueError(f"{path}: modality {modality}; wanted a radiograph ({', '.join(MODALITIES)})")
    view = str(film.get("ViewPosition", "") or "").upper()
    if view in LATERAL:
        raise ValueError(f"{path}: view position {view}; wanted a frontal film (PA or AP)")
    meanings = [str(code.get("CodeMeaning", "")) for code in film.get("ViewCodeSequence") or ()]
    if any(re.search(r"\blateral\b", meaning.lower()) for meaning in meanings):
        raise ValueError(f"{path}: view {', '.join(meanings)}; wanted a frontal film (PA or AP)")
    along_row = str((film.get("PatientOrientation") or [""])[0])
    if along_row.startswith(("A", "P")):
        raise ValueError(
            f"{path}: its rows run towards {along_row} (front or back), a lateral film; wanted a frontal one"
        )
    part = str(film.get("BodyPartExamined", "") or "").upper()
    if part and "CHEST" not in part and "THORAX" not in part:
        raise ValueError(f"{path}: body part {part}; wanted a chest film")


def _check_size(film, path: Path) -> None:
    """Refuse, before decoding, what would fill the memory."""
    frames = int(film.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise ValueError(f"{path}: {frames} frames; wanted one grey picture, not a series or colour")
    if film.Rows * film.Columns > MOST_PIXELS:
        raise ValueError(f"{path}: {film.Columns} x {film.Rows} pixels; wanted a single film, scale it down")


def _scaled(values: np.ndarray, valid: np.ndarray, film, path: Path) -> np.ndarray:
    """Scale the values to [0, 1] by their minimum and maximum; a window, where one was applied, has limited them before.

    Pixels of the padding value, around the exposed field, do not count and become black.
    """
    if not valid.any():
        raise ValueError(f"{path}: every pixel is padding; there is no picture in it")
    low, high = float(values[valid].min()), float(values[valid].max())
    if high <= low:
        raise ValueError(f"{path}: every pixel is {low:g}; there is no picture in it")
    image = ((values - low) / (high - low)).astype(np.float32)
    if film.get("PhotometricInterpretation") == "MONOCHROME1":
        image = 1 - image
    return np.where(valid, image, np.float32(0))


def _spacing(film) -> tuple[tuple[float, float] | None, str]:
    """Return the spacing, None where there is none to use, and a remark that says where it was measured or why it is not used."""
    unused = []
    for name, where in SPACINGS:
        stated = film.get(name)
        if stated is None or stated == "":
            continue
        try:
            row, column = (float(value) for value in stated)
        except (TypeError, ValueError):  # one number, three, or none
            row = column = np.nan
        if 0 < row < np.inf and 0 < column < np.inf:
            return (row, column), "; ".join([*unused, f"spacing {where} ({name})"])
        unused.append(f"{name} {stated} not used")
    return None, "; ".join(unused)


def _warnings(film) -> list[str]:
    """Return what the header says of the picture that its pixels may not show."""
    found = []
    if str(film.get("BurnedInAnnotation", "")).upper() == "YES":
        found.append("writing is burnt into the picture (BurnedInAnnotation), perhaps the patient's name")
    side = str(film.get("ImageLaterality", "") or film.get("Laterality", "") or "").upper()
    if side in ("L", "R"):
        found.append(f"the header says one side only (laterality {side})")
    across = str((film.get("PatientOrientation") or [""])[0])
    if across.startswith("R"):
        found.append("stored mirrored: rows run towards the patient's right (PatientOrientation)")
    return found
