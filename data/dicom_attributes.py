"""What single attributes of a DICOM film's header say; `film` is a pydicom Dataset."""

import re

import numpy as np

from data.sources.facts import is_possible_spacing, number

NOT_FRONTAL_WORDS = re.compile(r"\blateral\b(?! decubitus)|\boblique\b")
FRONT_OR_BACK = ("A", "P")  # where rows or columns of a lateral film run
SPACINGS = {  # in the order of preference, with the plane in which each is measured (PS3.3, 10.7)
    "PixelSpacing": "at the patient",
    "ImagerPixelSpacing": "at the detector",
    "NominalScannedPixelSpacing": "on the scanned film",
}
LARGEST_FILM_MM = (
    1000  # films are 430 mm long; 1 and 1 mm, which programs write where they know nothing, make one of 2000
)
STORED_MIRRORED = "stored mirrored"
SQUARE = 1.05  # a pixel's longer side by its shorter one; beyond, a chest looks stretched
# first letters of where rows and columns of a frontal film run; rows towards the left and columns towards the feet is usual
MIRRORED = (("R", "F"), ("L", "H"), ("H", "R"), ("F", "L"))
TURNED = (("H", "L"), ("R", "H"), ("F", "R"))


def photometric_of(film) -> str:
    """Return the header's photometric interpretation in capitals, '' where it states none."""
    return str(film.get("PhotometricInterpretation") or "").strip().upper()


def view_meanings(film) -> list[str]:
    """Return the words of the header's coded view, in small letters; [] where it has none."""
    return [str(code.get("CodeMeaning", "")).lower() for code in film.get("ViewCodeSequence") or ()]


def not_frontal(film) -> str | None:
    """Say in words by which coded view or direction the header calls a film lateral or oblique; None where it does not.

    ViewPosition, which may contradict both, is left to the caller.
    """
    meanings = view_meanings(film)
    if any(map(NOT_FRONTAL_WORDS.search, meanings)):
        return f"view {', '.join(meanings)}"
    for lines, towards in zip(("rows", "columns"), directions_of(film), strict=False):
        if towards.startswith(FRONT_OR_BACK):
            return f"its {lines} run towards {towards} (front or back), as those of a lateral film"
    return None


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
        lengths = (row * (film.get("Rows") or 0), column * (film.get("Columns") or 0))
        if is_possible_spacing(row, column) and max(lengths) <= LARGEST_FILM_MM:
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
    if enlarged and number(str(enlarged)) is not None and abs(number(str(enlarged)) - 1) > 1e-3:
        found.append(
            f"the detector's lengths are {enlarged} times the patient's (EstimatedRadiographicMagnificationFactor)"
        )
    if film.get("PresentationLUTShape") == "INVERSE" and photometric_of(film) == "MONOCHROME2":
        found.append("PresentationLUTShape INVERSE contradicts MONOCHROME2, by which the film is read")
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
