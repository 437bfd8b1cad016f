"""DICOM films, read with pydicom where it is installed: lungs dark, grey levels in [0, 1]."""

import re
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from data.reading import MOST_PIXELS
from data.sources.facts import body_part_code, is_possible_spacing

MODALITIES = ("CR", "DX", "RG")
NOT_FRONTAL = ("LL", "RL", "LATERAL", "LAT", "LLO", "RLO")  # lateral and oblique
LATERAL_WORDS = re.compile(r"\blateral\b(?! decubitus)")
FRONT_OR_BACK = ("A", "P")  # where rows or columns of a lateral film run
SPACINGS = {  # in the order of preference, with the plane in which each is measured (PS3.3, 10.7)
    "PixelSpacing": "at the patient",
    "ImagerPixelSpacing": "at the detector",
    "NominalScannedPixelSpacing": "on the scanned film",
}
STORED_MIRRORED = "stored mirrored"
SQUARE = 1.05  # a pixel's longer side by its shorter one; beyond, a chest looks stretched
# first letters of where rows and columns of a frontal film run; rows towards the left and columns towards the feet is usual
MIRRORED = (("R", "F"), ("L", "H"), ("H", "R"), ("F", "L"))
TURNED = (("H", "L"), ("R", "H"), ("F", "R"))


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
        raise ValueError(f"{path}: unreadable DICOM file ({error}); export it anew") from error


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
    return pydicom


def _read(film, path: Path) -> DicomFilm:
    from pydicom.pixels import apply_modality_lut, apply_voi_lut

    _check_size(film, path)
    for name in ("RescaleSlope", "RescaleIntercept", "VOILUTFunction"):
        if film.get(name, 1) in (None, ""):  # there, but empty
            del film[name]
    if not _window_is_valid(film):
        del film.WindowWidth
    stored = film.pixel_array
    values = np.asarray(apply_voi_lut(apply_modality_lut(stored, film), film), np.float64)
    if values.ndim != 2:
        raise ValueError(f"{path}: {values.shape} pixels; wanted one grey picture, not a series or colour")
    spacing, plane, remark = spacing_of(film)
    image = _scaled(values, ~_padding(stored, film), film, path)
    return DicomFilm(image, film.BitsStored, spacing, (*([remark] if remark else []), *warnings_of(film)), plane)


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
    modality = str(film.get("Modality", "") or "")
    if modality and modality not in MODALITIES:
        raise ValueError(f"{path}: modality {modality}; wanted a radiograph ({', '.join(MODALITIES)})")
    view = str(film.get("ViewPosition", "") or "").upper()
    if view in NOT_FRONTAL:
        raise ValueError(f"{path}: view position {view}; wanted a frontal film (PA or AP)")
    meanings = view_meanings(film)
    if any(LATERAL_WORDS.search(meaning) for meaning in meanings):
        raise ValueError(f"{path}: view {', '.join(meanings)}; wanted a frontal film (PA or AP)")
    for lines, towards in zip(("rows", "columns"), directions_of(film), strict=False):
        if towards.startswith(FRONT_OR_BACK):
            raise ValueError(
                f"{path}: its {lines} run towards {towards} (front or back), a lateral film; wanted a frontal one"
            )
    part = str(film.get("BodyPartExamined", "") or "").upper()
    if part and "CHEST" not in part and "THORAX" not in part and body_part_code(part) != "CHEST":
        raise ValueError(f"{path}: body part {part}; wanted a chest film")


def _check_size(film, path: Path) -> None:
    """Refuse, before decoding, what has no pixels, as reports and annotations have not, and what would fill the memory."""
    if "FloatPixelData" in film or "DoubleFloatPixelData" in film:
        raise ValueError(
            f"{path}: its pixels are floating-point numbers; wanted whole ones (PixelData), as films have them"
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
    if film.get("PhotometricInterpretation") == "MONOCHROME1":
        image = 1 - image
    return np.where(valid, image, np.float32(0))


def view_meanings(film) -> list[str]:
    """Return the words of the header's coded view, in small letters; [] where it has none."""
    return [str(code.get("CodeMeaning", "")).lower() for code in film.get("ViewCodeSequence") or ()]


def directions_of(film) -> list[str]:
    """Return where rows and columns run, as PatientOrientation says; [] where it does not."""
    return [str(value) for value in film.get("PatientOrientation") or ()]


def spacing_of(film) -> tuple[tuple[float, float] | None, str | None, str]:
    """Return the spacing and its plane, None where there is none to use, and a remark on both.

    A PixelSpacing equal to another spacing is that one, not calibrated to the patient; alone and without a calibration type
    it may be either.
    """
    unused, valid = [], {}
    for name in SPACINGS:
        stated = film.get(name)
        if stated is None or stated == "":
            continue
        try:
            row, column = (float(value) for value in stated)
        except (TypeError, ValueError):  # one number, three, or none
            row = column = np.nan
        if is_possible_spacing(row, column):
            valid[name] = (row, column)
        elif not valid:
            unused.append(f"{name} {stated} not used")
    if not valid:
        return None, None, "; ".join(unused)
    name, spacing = next(iter(valid.items()))
    plane = SPACINGS[name]
    if name == "PixelSpacing" and not film.get("PixelSpacingCalibrationType"):
        same = [other for other, value in valid.items() if other != name and np.allclose(value, spacing, rtol=1e-3)]
        plane = SPACINGS[same[0]] if same else plane if len(valid) > 1 else None
    return spacing, plane, "; ".join([*unused, f"spacing {plane or 'in a plane not stated'} ({name})"])


def warnings_of(film) -> list[str]:
    """Return what the header says of the picture that its pixels may not show."""
    found = []
    enlarged = film.get("EstimatedRadiographicMagnificationFactor")
    if enlarged and str(enlarged).strip() not in ("1", "1.0"):
        found.append(
            f"the detector's lengths are {enlarged} times the patient's (EstimatedRadiographicMagnificationFactor)"
        )
    if str(film.get("BurnedInAnnotation", "")).upper() == "YES":
        found.append("writing is burnt into the picture (BurnedInAnnotation), perhaps the patient's name")
    side = str(film.get("ImageLaterality", "") or film.get("Laterality", "") or "").upper()
    if side in ("L", "R"):
        found.append(f"the header says one side only (laterality {side})")
    lies = tuple(towards[:1] for towards in directions_of(film) if towards)
    if lies == ("R",):
        found.append(f"{STORED_MIRRORED}: rows run towards R (PatientOrientation)")
    for kinds, word in ((MIRRORED, STORED_MIRRORED), (TURNED, "stored turned")):
        if lies in kinds:
            found.append(f"{word}: rows run towards {lies[0]}, columns towards {lies[1]} (PatientOrientation)")
    height, width = spacing_of(film)[0] or aspect_of(film)
    if max(height, width) > SQUARE * min(height, width):
        found.append(f"pixels are not square ({height:g} high by {width:g} wide): the network sees the chest stretched")
    return found


def aspect_of(film) -> tuple[float, float]:
    """Return height and width of a pixel as PixelAspectRatio states them, in no unit; 1 and 1 where it does not."""
    try:
        height, width = (float(value) for value in film.get("PixelAspectRatio") or (1, 1))
    except (TypeError, ValueError):
        return 1.0, 1.0
    return (height, width) if height > 0 and width > 0 else (1.0, 1.0)
