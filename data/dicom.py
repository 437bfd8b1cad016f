"""DICOM films, read with pydicom where it is installed: lungs dark, grey levels in [0, 1]."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from data.dicom_attributes import not_frontal, photometric_of, spacing_of, warnings_of
from data.reading import MOST_PIXELS
from data.sources.facts import body_part_code, modality_code, view_codes

LEAST_SHOWN = 0.2  # share of the pixels that a window must leave between its black and its white
VOI_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


class DicomFilm(NamedTuple):
    """image (H, W) float32 in [0, 1], lungs dark; spacing_mm (row, column) or None; remarks: what the header warns of.

    bits_stored: of the stored values. plane: where the spacing was measured, None where that is not stated.
    """

    image: np.ndarray
    bits_stored: int
    spacing_mm: tuple[float, float] | None
    remarks: tuple[str, ...] = ()
    plane: str | None = None


def is_dicom(path: Path) -> bool:
    """Tell whether a file is DICOM: the word DICM after 128 bytes, or the ending .dcm."""
    if path.suffix.lower() == ".dcm":
        return True
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom(path: Path, frontal_only: bool = True) -> DicomFilm:
    """Read one grey picture; ValueError says why a file is not one, ModuleNotFoundError how to get pydicom.

    frontal_only: refuse whatever the header does not call a frontal chest radiograph, or leave open. The order matters: modality
    transform, value-of-interest window, and only then the inversion of MONOCHROME1.
    """
    pydicom = import_pydicom(path)
    try:
        film = pydicom.dcmread(path)
        if frontal_only:
            _check_kind(film, path)
        return _read(film, path)
    except Exception as error:  # foreign bytes break pydicom in many ways; all of them mean the same to the user
        if isinstance(error, ValueError) and str(error).startswith(f"{path}:"):
            raise  # one of ours, which says why
        if "missing dependencies" in str(error):
            raise ValueError(
                f"{path}: compressed in a way that needs another package to read; try `pip install pylibjpeg pylibjpeg-libjpeg` "
                f"({error})"
            ) from error
        said = "it is empty" if path.stat().st_size == 0 else str(error).partition(" Use force=True")[0]
        raise ValueError(f"{path}: unreadable DICOM file ({said}); export it anew") from error


def stated_spacing(path: Path) -> tuple[float, float] | None:
    """Return the spacing of rows and columns, mm, that a DICOM file's header states; None where there is none to use.

    Pixels are not read. ModuleNotFoundError without pydicom; pydicom's own error where the header cannot be read.
    """
    return spacing_of(import_pydicom(path).dcmread(path, stop_before_pixels=True))[0]


def import_pydicom(path: Path) -> ModuleType:
    """Return pydicom; ModuleNotFoundError, where it is missing, names the file that needs it and says how to get it."""
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: reading DICOM needs pydicom; install it with `pip install pydicom`"
        ) from error
    # of values that are not quite as the standard has them, without the file's name; what matters is said in our words
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    return pydicom


def _read(film, path: Path) -> DicomFilm:
    _check_pixels(film, path)
    _mend(film)
    stored = film.pixel_array
    if stored.ndim != 2:
        raise ValueError(f"{path}: {stored.shape} pixels; wanted one grey picture, not a series or colour")
    valid = ~_padding(stored, film)
    values, unused_window = _windowed(stored, valid, film)
    spacing, plane, remark = spacing_of(film)
    remarks = (*([remark] if remark else []), *unused_window, *warnings_of(film))
    return DicomFilm(_scaled(values, valid, film, path), film.BitsStored, spacing, remarks, plane)


def _windowed(stored: np.ndarray, valid: np.ndarray, film) -> tuple[np.ndarray, list[str]]:
    """Return the values after the modality transform and the window (or table of grey levels), and a remark if it is not used.

    A window for other values than the film's, such as 0 to 255 on 12 bits, would leave a picture in black and white.
    """
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(stored, film)
    windowed = apply_voi_lut(values, film)
    shown = _share_between(windowed[valid])
    if shown >= LEAST_SHOWN or _share_between(values[valid]) < LEAST_SHOWN:
        return np.asarray(windowed, np.float64), []
    return np.asarray(values, np.float64), [
        f"the header's window is not used: it makes {1 - shown:.0%} of the pixels black or white"
    ]


def _share_between(values: np.ndarray) -> float:
    """Return the share of values that are neither the least nor the largest; 0 of none."""
    return float(np.mean((values > values.min()) & (values < values.max()))) if values.size else 0.0


def _mend(film) -> None:
    """Take out or put right what keeps pydicom from the grey levels of films that are whole."""
    for name in ("RescaleSlope", "RescaleIntercept"):
        if film.get(name, 1) in (None, ""):  # there, but empty
            del film[name]
    if "VOILUTFunction" in film:
        film.VOILUTFunction = str(film.VOILUTFunction or "LINEAR").upper()
        if film.VOILUTFunction not in VOI_FUNCTIONS:
            del film.VOILUTFunction
    if not _window_is_valid(film):
        del film.WindowWidth
    for table in film.get("ModalityLUTSequence") or ():
        entries, first, bits = table.LUTDescriptor
        table.LUTDescriptor = [entries, first, 8 if bits <= 8 else 16]  # of 12, which are stored in 16


def _window_is_valid(film) -> bool:
    """Tell whether the width of the header's first window, which is the one that is used, can be; without any all is well."""
    if film.get("WindowWidth") is None:
        return True
    try:
        width = float(np.atleast_1d(film.WindowWidth)[0])
    except (TypeError, ValueError, IndexError):
        return False
    return width >= 1 if film.get("VOILUTFunction", "LINEAR") == "LINEAR" else width > 0


def _padding(stored: np.ndarray, film) -> np.ndarray:
    """Return where the stored values (H, W) are padding around the exposed field: one value, or a range of them."""
    value = film.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    limit = film.get("PixelPaddingRangeLimit")
    ends = (value, value if limit is None else limit)
    if film.get("PixelRepresentation") == 1:  # signed pixels, whose padding some write as if it had no sign
        ends = tuple(end - 2**film.BitsAllocated if end >= 2 ** (film.BitsAllocated - 1) else end for end in ends)
    low, high = sorted(ends)
    return (stored >= low) & (stored <= high)


def _check_kind(film, path: Path) -> None:
    """Refuse what the header does not call a frontal chest radiograph, or leave open."""
    modality = str(film.get("Modality", "") or "")
    view = str(film.get("ViewPosition", "") or "").upper()
    part = str(film.get("BodyPartExamined", "") or "").upper()
    if modality and modality_code(modality) not in ("CR", "DX"):
        why = f"modality {modality}; wanted a radiograph (CR, DX, RG)"
    elif view_codes(view)[0] not in ("PA", "AP", None):
        why = f"view position {view}; wanted a frontal film (PA or AP)"
    elif sideways := not_frontal(film):
        why = f"{sideways}; wanted a frontal film (PA or AP)"
    elif part and "CHEST" not in part and "THORAX" not in part and body_part_code(part) != "CHEST":
        why = f"body part {part}; wanted a chest film"
    else:
        return
    raise ValueError(f"{path}: {why}. Is the header wrong? Then save the picture as PNG and name that")


def _check_pixels(film, path: Path) -> None:
    """Refuse, before decoding, what has no grey pixels, as reports and colour pictures have not, or would fill the memory."""
    if "FloatPixelData" in film or "DoubleFloatPixelData" in film:
        raise ValueError(
            f"{path}: its pixels are floating-point numbers; wanted whole ones (PixelData), as films have them"
        )
    if photometric_of(film) not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise ValueError(
            f"{path}: photometric interpretation {photometric_of(film)}; wanted one grey picture, not colour"
        )
    if "PixelData" not in film:
        if "Modality" not in film:  # cut off, or never one
            raise ValueError(f"{path}: unreadable DICOM file (no pixels in it); export it anew")
        raise ValueError(f"{path}: modality {film.Modality} without pixels; there is no picture in it")
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
    if photometric_of(film) == "MONOCHROME1":
        image = 1 - image
    return np.where(valid, image, np.float32(0))
