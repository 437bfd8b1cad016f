"""DICOM films, read with pydicom where it is installed: the right kind of picture, upright in grey levels, in [0, 1]."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

MODALITIES = ("CR", "DX", "RG")
LATERAL = ("LL", "RL", "LATERAL")


class DicomFilm(NamedTuple):
    """image (H, W) float32 in [0, 1], lungs dark; spacing_mm (row, column) or None."""

    image: np.ndarray
    spacing_mm: tuple[float, float] | None


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM: the word DICM after 128 bytes, or the ending .dcm."""
    if path.suffix.lower() == ".dcm":
        return True
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom(path: Path) -> DicomFilm:
    """Read a frontal chest radiograph; ValueError says why a file is none, ModuleNotFoundError how to get pydicom.

    The order matters: modality transform, value-of-interest window, and only then the inversion of MONOCHROME1.
    """
    try:
        import pydicom
        from pydicom.pixels import apply_modality_lut, apply_voi_lut
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: reading DICOM needs pydicom; install it with `pip install pydicom`"
        ) from error
    try:
        film = pydicom.dcmread(path)
        _check_kind(film, path)
        values = apply_voi_lut(apply_modality_lut(film.pixel_array, film), film)
    except (pydicom.errors.InvalidDicomError, AttributeError, RuntimeError, OSError) as error:
        raise ValueError(f"{path}: unreadable DICOM file ({error}); export it anew") from error
    if values.ndim != 2:
        raise ValueError(f"{path}: {values.shape} pixels; wanted one grey picture, not a series or colour")
    return DicomFilm(_scaled(np.asarray(values, np.float64), film, path), _spacing(film))


def _check_kind(film, path: Path) -> None:
    modality = str(film.get("Modality", "") or "")
    if modality and modality not in MODALITIES:
        raise ValueError(f"{path}: modality {modality}; wanted a radiograph ({', '.join(MODALITIES)})")
    view = str(film.get("ViewPosition", "") or "").upper()
    if view in LATERAL:
        raise ValueError(f"{path}: view position {view}; wanted a frontal film (PA or AP)")
    part = str(film.get("BodyPartExamined", "") or "").upper()
    if part and "CHEST" not in part and "THORAX" not in part:
        raise ValueError(f"{path}: body part {part}; wanted a chest film")


def _scaled(values: np.ndarray, film, path: Path) -> np.ndarray:
    """To [0, 1] by the window that was applied; a file without one states no black and white, so its own range is taken."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        raise ValueError(f"{path}: every pixel is {low:g}; there is no picture in it")
    image = ((values - low) / (high - low)).astype(np.float32)
    return 1 - image if film.get("PhotometricInterpretation") == "MONOCHROME1" else image


def _spacing(film) -> tuple[float, float] | None:
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        if film.get(name):
            row, column = (float(value) for value in film.get(name))
            return (row, column) if row > 0 and column > 0 else None
    return None
