"""What a DICOM file's header states of its film, in the words of the database; the pixels are not read."""

import warnings
from datetime import date
from pathlib import Path

from data.dicom import (
    FRONT_OR_BACK,
    LATERAL_WORDS,
    directions_of,
    import_pydicom,
    is_dicom,
    spacing_of,
    view_meanings,
    warnings_of,
)
from data.reading import PICTURE_ENDINGS
from data.sources.facts import age_years, body_part_code, clean_text, iso_date, modality_code, sex_code, view_codes

FRONTAL_WORDS = {"postero-anterior": "PA", "antero-posterior": "AP"}


def header_facts(path: Path) -> dict[str, object]:
    """Return the facts of a film's header by the fields of `SourceFilm`; None: not stated or not understood.

    {} for a file that is no DICOM, is missing or cannot be read: what is wrong with it is said where it is opened.
    """
    if path.suffix.lower() in PICTURE_ENDINGS or not path.is_file() or not is_dicom(path):
        return {}
    pydicom = import_pydicom(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of values that are not quite as the standard has them
            return _facts(pydicom.dcmread(path, stop_before_pixels=True))
    except Exception:  # foreign bytes break pydicom in many ways
        return {}


def _facts(film) -> dict[str, object]:
    def text(name: str) -> str | None:
        return clean_text(str(film.get(name) or ""))

    spacing, _, remark = spacing_of(film)
    photometric = text("PhotometricInterpretation")
    return {
        "patient_id": text("PatientID"),
        "study_id": text("StudyInstanceUID"),
        "patient_sex": sex_code(text("PatientSex")),
        "patient_age_years": _age(text("PatientAge"), text("PatientBirthDate"), text("StudyDate")),
        "study_date": iso_date(text("StudyDate")),
        "modality": modality_code(text("Modality")),
        "view_position": _view(film, text("ViewPosition")),
        "body_part_examined": body_part_code(text("BodyPartExamined")),
        "photometric_interpretation": photometric if photometric in ("MONOCHROME1", "MONOCHROME2") else None,
        "pixel_spacing_mm": spacing,
        "pixel_spacing_origin": remark if spacing else None,
        "note": "; ".join(warnings_of(film)) or None,
    }


def _age(stated: str | None, born: str | None, taken: str | None) -> float | None:
    """Return the age in years, as the header states it, or where it does not so that it is understood, from two whole dates."""
    if (age := age_years(stated)) is not None:
        return age
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
    meanings = view_meanings(film)
    if any(map(LATERAL_WORDS.search, meanings)) or any(way.startswith(FRONT_OR_BACK) for way in directions_of(film)):
        return "LL"
    coded = (view for words, view in FRONTAL_WORDS.items() for meaning in meanings if words in meaning)
    return next(coded, stated and stated.upper())
