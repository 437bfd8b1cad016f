"""covid-chestxray-dataset (ieee8023): metadata.csv, images/, and two kinds of masks that must not be mixed.

semantic_masks_v7labs_lungs/<filename>: human-drawn, includes most of the heart (255 lung, 127 ignore). annotations/lungVAE-masks/
<stem>_mask.png: made by a model, clear field. Both are optional. Header names differ in case and blanks between versions.
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data.sources.facts import age_years, clean_text, iso_date, modality_code, number, sex_code, view_codes
from data.sources.table import read_table
from db.records import SourceFilm, SourceMask, SourceMeasurement

V7_MASKS, VAE_MASKS = "semantic_masks_v7labs_lungs", "annotations/lungVAE-masks"
V7_LUNG = 255
NOT_READ = {"todo", "unknown"}  # the published table's own words for a film whose finding nobody has entered
CLINICAL = {
    "temperature": ("temperature", "degC"),
    "po2_saturation": ("pO2_saturation", "%"),
    "leukocyte_count": ("leukocyte_count", "10^3/uL"),
    "neutrophil_count": ("neutrophil_count", "10^3/uL"),
    "lymphocyte_count": ("lymphocyte_count", "10^3/uL"),
}  # column, lower case: name and unit in the measurement table


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the rows of metadata.csv, CT slices, laterals and films listed twice included."""
    path = folder / "metadata.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no metadata.csv there; name the folder of covid-chestxray-dataset")
    for line, row in read_table(path, ("patientid", "filename")):
        yield _film(folder, row, line)


def _film(folder: Path, row: dict[str, str], line: int) -> SourceFilm:
    filename = row["filename"].strip()
    view, position = view_codes(row.get("view"))
    offset, date = number(row.get("offset")), iso_date(row.get("date"), month_first=True)
    return SourceFilm(
        file=PurePosixPath(clean_text(row.get("folder")) or "images", filename).as_posix() if filename else "",
        patient_id=row["patientid"].strip() or filename or f"line {line}",
        study_id=f"offset {offset:g}" if offset is not None else f"date {date}" if date and len(date) == 10 else None,
        patient_sex=sex_code(row.get("sex")),
        patient_age_years=age_years(row.get("age")),
        study_date=date,
        offset_days=offset,
        modality=modality_code(row.get("modality")),
        view_position=view,
        patient_position=position,
        findings=tuple(_findings(row.get("finding"))),
        note=clean_text(row.get("clinical_notes")),
        license=clean_text(row.get("license")),
        masks=tuple(_masks(folder, filename)) if filename else (),
        measurements=tuple(_clinical(row)),
    )


def _findings(text: str | None) -> list[str]:
    """'Pneumonia/Viral/COVID-19' and 'COVID-19, ARDS' are lists; words of NOT_READ are no finding."""
    parts = [part.strip() for part in re.split(r"[/,]", clean_text(text) or "")]
    return [part for part in parts if part and part.lower() not in NOT_READ]


def _masks(folder: Path, filename: str) -> Iterator[SourceMask]:
    v7 = f"{V7_MASKS}/{filename}"
    if (folder / v7).is_file():
        yield SourceMask(
            structure="lungs", convention="includes_heart", provenance="manual", file=v7, lung_value=V7_LUNG
        )
    vae = f"{VAE_MASKS}/{PurePosixPath(filename).stem}_mask.png"
    if (folder / vae).is_file():
        yield SourceMask(structure="lungs", convention="clear_field", provenance="model", file=vae)


def _clinical(row: dict[str, str]) -> Iterator[SourceMeasurement]:
    for column, (name, unit) in CLINICAL.items():
        value = number(row.get(column))
        if value is not None:
            yield SourceMeasurement(name=name, value=value, unit=unit)
