"""What a DICOM file's header states of its film, in the words of the database; the pixels are not read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from data.dicom import import_pydicom, is_dicom
from data.dicom_attributes import not_frontal, photometric_of, spacing_of, view_meanings, warnings_of
from data.sources.facts import (
    age_years,
    body_part_code,
    clean_text,
    iso_date,
    modality_code,
    person_id,
    sex_code,
    view_codes,
)

RADIOGRAPHS = ("CR", "DX", None)


@dataclass(frozen=True)
class HeaderFacts:
    """What a header states, by the fields of `SourceFilm`; None: not stated or not understood.

    not_understood: of such a field the attribute and its words.
    """

    stated: dict[str, object] = field(default_factory=dict)
    not_understood: dict[str, tuple[str, str]] = field(default_factory=dict)


def header_facts(path: Path) -> HeaderFacts:
    """Return the facts of a film's header.

    None at all of a file that is no DICOM, is missing or cannot be read: what is wrong with it is said where it is opened.
    """
    try:
        if not path.is_file() or not is_dicom(path):
            return HeaderFacts()
    except OSError:
        return HeaderFacts()
    pydicom = import_pydicom(path)
    try:
        return _facts(pydicom.dcmread(path, stop_before_pixels=True))
    except Exception:  # foreign bytes break pydicom in many ways
        return HeaderFacts()


def _facts(film) -> HeaderFacts:
    not_understood = {}

    def text(name: str) -> str | None:
        return clean_text(str(film.get(name) or ""))

    def fact(field: str, attribute: str, understand: Callable[[str | None], object]) -> object:
        value = understand(text(attribute))
        if value is None and text(attribute) is not None:
            not_understood[field] = (attribute, text(attribute))
        return value

    spacing, _, remark = spacing_of(film)
    if remark and not spacing:
        not_understood["pixel_spacing_mm"] = ("spacing", remark)
    age = fact("patient_age_years", "PatientAge", age_years)
    between = _age_between(text("PatientBirthDate"), text("StudyDate"))
    if between is not None and (age is None or age == 0 and between >= 1):  # 000Y is written where nothing is known
        age = between
        not_understood.pop("patient_age_years", None)
    view = _view(film, text("ViewPosition"))
    if view is not None and view_codes(view)[0] is None:
        not_understood["view_position"] = ("ViewPosition", view)
    photometric = photometric_of(film)
    stated = {
        "patient_id": person_id(text("PatientID")),
        "study_id": text("StudyInstanceUID"),
        "patient_sex": fact("patient_sex", "PatientSex", sex_code),
        "patient_age_years": age,
        "study_date": fact("study_date", "StudyDate", iso_date),
        "modality": fact("modality", "Modality", modality_code),
        "view_position": view,
        "patient_position": view_codes(text("ViewPosition"))[1],
        "body_part_examined": body_part_code(text("BodyPartExamined")),
        "photometric_interpretation": photometric if photometric in ("MONOCHROME1", "MONOCHROME2") else None,
        "pixel_spacing_mm": spacing,
        "pixel_spacing_origin": remark if spacing else None,
        "note": "; ".join(warnings_of(film)) or None,
    }
    return HeaderFacts(stated, not_understood)


def _age_between(born: str | None, taken: str | None) -> float | None:
    """Return the age in years from two whole dates; None where one is not stated, or they make no age.

    Programs write the first of January 1900 where they know no date of birth.
    """
    if iso_date(born) == "1900-01-01":
        return None
    try:
        days = (date.fromisoformat(iso_date(taken) or "") - date.fromisoformat(iso_date(born) or "")).days
    except ValueError:
        return None
    return age_years(f"{days}d") if days >= 0 else None


def _view(film, stated: str | None) -> str | None:
    """Return the view position; where it is not understood, the view's code or the direction of rows and columns may tell.

    Where nothing tells, it is what the header states, in capitals, or None.
    """
    if known := view_codes(stated)[0]:
        return known
    # rows or columns of a CT slice run to the front as well
    why = not_frontal(film) if modality_code(str(film.get("Modality") or "")) in RADIOGRAPHS else None
    if why:
        return "OBLIQUE" if "oblique" in why else "LL"
    coded = (view_codes(meaning)[0] for meaning in view_meanings(film))
    return next(filter(None, coded), stated and stated.upper())
