"""Films listed in a CSV: the format for one's own data (docs/data-formats.md).

Only the column `file` is required; paths are relative to the CSV. An empty cell means "not stated".
"""

import csv
import re
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data.sources.facts import age_years, clean_text, iso_date, modality_code, number, sex_code, view_codes
from db.records import CONVENTIONS, MASK_STRUCTURES, PROVENANCES, SourceFilm, SourceMask, SourceMeasurement

FACT_COLUMNS = (
    "file", "patient_id", "study_id", "sex", "age_years", "study_date", "offset_days", "finding", "modality", "view",
    "body_part", "photometric", "pixel_spacing_mm", "mask_convention", "mask_provenance", "note", "license", "same_patient_as",
)  # fmt: skip
UNITS = {"ratio": "ratio", "mm": "mm", "mm2": "mm2", "deg": "deg"}
"""A further column whose name ends in one of these is a measurement, e.g. cardiothoracic_ratio, heart_width_mm."""


def manifest_path(folder: Path) -> Path:
    """Return the CSV: the path itself, or manifest.csv in the folder."""
    path = folder if folder.is_file() else folder / "manifest.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no manifest.csv there; name the CSV, or the folder that holds manifest.csv")
    return path


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the rows of a manifest; ValueError names the line that cannot be understood."""
    path = manifest_path(folder)
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        _check_columns(path, columns)
        measured = [column for column in columns if _unit_of(column)]
        for row in reader:
            try:
                yield _film(row, measured)
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _check_columns(path: Path, columns: list[str]) -> None:
    if "file" not in columns:
        raise ValueError(
            f"{path}: no column 'file'; got {', '.join(columns) or 'an empty file'}, see docs/data-formats.md"
        )
    known = {*FACT_COLUMNS, *MASK_STRUCTURES}
    unused = [column for column in columns if column not in known and not _unit_of(column)]
    if unused:
        warnings.warn(
            f"{path}: columns not used: {', '.join(unused)} (docs/data-formats.md lists those that are)", stacklevel=2
        )


def _unit_of(column: str) -> str | None:
    if column in FACT_COLUMNS or "_" not in column:
        return None
    return UNITS.get(column.rsplit("_", 1)[1])


def _film(row: dict[str, str], measured: list[str]) -> SourceFilm:
    if not (row["file"] or "").strip():
        raise ValueError("the column 'file' is empty; give the film's path relative to the CSV")
    file = row["file"].strip()
    view, position = view_codes(row.get("view"))
    note = " ".join(filter(None, (clean_text(row.get("note")), clean_text(row.get("finding")))))
    return SourceFilm(
        file=file,
        patient_id=clean_text(row.get("patient_id")) or PurePosixPath(file).stem,
        study_id=clean_text(row.get("study_id")),
        patient_sex=sex_code(row.get("sex")),
        patient_age_years=age_years(row.get("age_years")),
        study_date=iso_date(row.get("study_date")),
        offset_days=number(row.get("offset_days")),
        modality=modality_code(row.get("modality")),
        view_position=view,
        patient_position=position,
        body_part_examined=(clean_text(row.get("body_part")) or "").upper() or None,
        photometric_interpretation=clean_text(row.get("photometric")),
        pixel_spacing_mm=_spacing(row.get("pixel_spacing_mm")),
        pixel_spacing_origin="manifest",
        findings=tuple(part.strip() for part in (clean_text(row.get("finding")) or "").split("|") if part.strip()),
        note=clean_text(row.get("note")),
        license=clean_text(row.get("license")),
        masks=tuple(_masks(row)),
        measurements=tuple(_measurements(row, measured)),
        same_patient_as=(*same_patient_ids(note), *_list(row.get("same_patient_as"))),
    )


def _spacing(text: str | None) -> tuple[float, float] | None:
    """'0.35' or 'row;column'."""
    parts = [number(part) for part in re.split(r"[;x ]+", (text or "").strip()) if part]
    if not parts:
        return None
    if len(parts) > 2 or any(part is None or part <= 0 for part in parts):
        raise ValueError(f"pixel_spacing_mm is {text!r}; wanted one number above 0, or row;column")
    return parts[0], parts[-1]


def _masks(row: dict[str, str]) -> Iterator[SourceMask]:
    for structure in MASK_STRUCTURES:
        if clean_text(row.get(structure)):
            yield SourceMask(
                structure=structure,
                convention=_convention(row.get("mask_convention")),
                provenance=_provenance(row.get("mask_provenance")),
                file=row[structure].strip(),
            )


def _convention(text: str | None) -> str:
    word = clean_text(text)
    if word not in CONVENTIONS:
        raise ValueError(f"mask_convention is {word!r}; wanted one of {', '.join(CONVENTIONS)}")
    return word


def _provenance(text: str | None) -> str:
    """The word itself, or the first known word that the text begins with ('landmarks fitted to ...' is landmark)."""
    word = (clean_text(text) or "").lower()
    for provenance in PROVENANCES:
        if word.startswith(provenance):
            return provenance
    raise ValueError(f"mask_provenance is {text!r}; wanted a text that begins with one of {', '.join(PROVENANCES)}")


def _measurements(row: dict[str, str], measured: list[str]) -> Iterator[SourceMeasurement]:
    for column in measured:
        value = number(row.get(column))
        if value is not None:
            yield SourceMeasurement(name=column, value=value, unit=_unit_of(column))


def same_patient_ids(note: str) -> tuple[str, ...]:
    """Return the ids in a note such as '(same pt as MCUCXR_0166_1, MCUCXR_0162_1)', without the _1 of film names."""
    found = re.search(r"same (?:pt|patient) as ([\w ,]+)", note)
    ids = re.findall(r"\w+_\d+(?:_\d)?", found[1]) if found else []
    return tuple(re.sub(r"^(\w+_\d{3,})_\d$", r"\1", name) for name in ids)


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split("|") if part.strip())
