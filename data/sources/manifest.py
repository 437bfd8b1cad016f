"""Films listed in a CSV: the format for one's own data (docs/data-formats.md).

Only the column `file` is required; paths are relative to the CSV. An empty cell means "not stated"; of a DICOM film, its header
then says.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from posixpath import splitext

from data.dicom_header import HeaderFacts, header_facts
from data.sources.doubts import Doubts
from data.sources.facts import (
    age_years,
    body_part_code,
    clean_text,
    is_possible_spacing,
    iso_date,
    modality_code,
    number,
    person_id,
    sex_code,
    view_codes,
)
from data.sources.files import below, inside
from data.sources.manifest_columns import named_rows, unit_of, unused_columns
from db.records import MASK_STRUCTURES, PROVENANCES, SourceFilm, SourceMask, SourceMeasurement

PATHS = ("file", *MASK_STRUCTURES)
MANY_FILMS = 10


def manifest_path(folder: Path) -> Path:
    """Return the CSV: the path itself, or manifest.csv in the folder."""
    path = folder if folder.is_file() else folder / "manifest.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no manifest.csv there; name the CSV, or the folder that holds manifest.csv")
    return path


def masks_beside(table: Path) -> set[Path]:
    """Return the pictures that a table lists as masks and not as films; none where it is no such table."""
    try:
        rows = [row for _, row in named_rows(table)]
    except (ValueError, OSError):
        return set()
    masks = {table.parent / mask.file for row in rows for mask in _masks(row)}
    return masks - {table.parent / _path(row["file"]) for row in rows}


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the rows of a manifest; facts that are stated but not understood are left out, and a warning tells which."""
    path = manifest_path(folder)
    yield from read_rows(path, path.parent, named_rows(path))


def read_rows(table: Path, root: Path, rows: Iterable[tuple[int, dict[str, str]]]) -> Iterator[SourceFilm]:
    """Yield the films of numbered rows, whose files lie below root; table: what warnings name."""
    doubts = Doubts()
    columns: list[str] = []
    films: list[SourceFilm] = []
    nameless: list[SourceFilm] = []
    nobody: str | None = None
    named: dict[str, int] = {}  # by id, the first line that names it
    for line, row in rows:
        columns = list(row)
        row = {name: below(root, _path(cell)) if name in PATHS else cell for name, cell in row.items()}
        header = _header(root, row)
        films.append(_film(row, header, line, doubts))
        if person_id(row.get("patient_id")) is None and header.stated.get("patient_id") is None:
            nameless.append(films[-1])
            nobody = nobody or clean_text(row.get("patient_id"))
        for name in _named_ids(row):
            named.setdefault(name, line)
    patients = {film.patient_id for film in films}
    if nameless:
        persons = Counter(film.patient_id for film in nameless)
        names_nobody = f" ({nobody!r} names nobody)" if nobody else ""
        doubts.texts.append(
            f"patient_id: not stated in {len(nameless)} of {len(films)} rows{names_nobody}; there each visit, or without a visit "
            f"each file, counts as a person ({len(persons)} in all, the largest with {max(persons.values())} films), so films of "
            "one person may fall in training and test, or of several be taken for one's"
        )
    doubts.texts += _one_id_for_most(films)
    for film in films:
        yield replace(film, same_patient_as=tuple(_person(name, patients) for name in film.same_patient_as))
    unknown = [(line, name) for name, line in named.items() if _person(name, patients) not in patients]
    if unknown:
        doubts.texts.append(
            f"same_patient_as: {len(unknown)} ids that no row has, the first {unknown[0][1]!r} in line {unknown[0][0]}"
        )
    doubts.texts += unused_columns(columns)
    if "mask_convention" in columns and not any(film.masks for film in films):
        doubts.texts.append(f"no row names a mask: wanted its file in one of the columns {', '.join(MASK_STRUCTURES)}")
    for text in (*doubts.texts, *doubts.lines()):
        warnings.warn(f"{table}: {text}", stacklevel=2)


def _one_id_for_most(films: Sequence[SourceFilm]) -> Iterator[str]:
    """Say that most of many films are one person's: the id may be a word that stands in the place of ids taken out."""
    persons = Counter({film.file: film.patient_id for film in films}.values())
    for person, count in persons.most_common(1):
        if persons.total() >= MANY_FILMS and 2 * count > persons.total():
            yield (
                f"patient_id: {count} of {persons.total()} films name {person!r} and count as one person's; leave the id empty "
                "where it stands for nobody"
            )


def _header(root: Path, row: dict[str, str]) -> HeaderFacts:
    try:
        return header_facts(inside(root, row["file"]))
    except (ValueError, OSError):  # leads outside, or is no path at all: refused where it is opened
        return HeaderFacts()


def _film(row: dict[str, str], header: HeaderFacts, line: int, doubts: Doubts) -> SourceFilm:
    """Return the film of a row; facts that its cells leave open are the header's."""
    file, known = row["file"], header.stated
    view, position = doubts.fact(row, line, "view", _view) or (None, None)
    spacing = doubts.fact(row, line, "pixel_spacing_mm", _spacing)
    note, finding = clean_text(row.get("note")), clean_text(row.get("finding"))
    patient = person_id(row.get("patient_id")) or known.get("patient_id")
    study = clean_text(row.get("study_id")) or known.get("study_id")
    film = SourceFilm(
        file=file,
        # without an id the visit names the person, or the whole path: 001.png in two folders is two films
        patient_id=patient or (f"study {study}" if study else splitext(file)[0]) or f"line {line}",
        study_id=study,
        patient_sex=doubts.fact(row, line, "sex", sex_code),
        patient_age_years=doubts.fact(row, line, "age_years", age_years),
        study_date=doubts.fact(row, line, "study_date", iso_date),
        offset_days=doubts.fact(row, line, "offset_days", number),
        modality=doubts.fact(row, line, "modality", modality_code),
        view_position=view,
        patient_position=position,
        body_part_examined=body_part_code(row.get("body_part")),
        photometric_interpretation=known.get("photometric_interpretation")  # by which its pixels are read
        or (clean_text(row.get("photometric")) or "").upper()
        or None,
        pixel_spacing_mm=spacing,
        pixel_spacing_origin="manifest" if spacing else None,
        findings=tuple(_list(finding)),
        note=note,
        license=clean_text(row.get("license")),
        masks=tuple(_masks(row)),
        measurements=tuple(_measurements(row, line, doubts)),
        same_patient_as=(*same_patient_ids(note or ""), *same_patient_ids(finding or ""), *_named_ids(row)),
    )
    film = replace(film, **{fact: value for fact, value in known.items() if getattr(film, fact) is None})
    for fact, (attribute, stated) in header.not_understood.items():
        if getattr(film, fact) == known[fact]:  # the table does not say it
            doubts.add(attribute, file, stated, "left out" if known[fact] is None else "kept as stated")
    return film


def _path(text: str | None) -> str:
    """Return a path as the database has it; tables made on Windows write it with backslashes."""
    return (text or "").strip().replace("\\", "/")


def _view(text: str | None) -> tuple[str, str | None] | None:
    view, position = view_codes(text)
    return (view, position) if view else None


def _spacing(text: str | None) -> tuple[float, float] | None:
    """Return (row, column) spacing in mm from '0.35', '0,35' or 'row;column'; None unless one or two numbers that can be one."""
    parts = [number(part.replace(",", ".")) for part in re.split(r"[;x ]+", (text or "").strip()) if part]
    if not 1 <= len(parts) <= 2 or None in parts or not is_possible_spacing(parts[0], parts[-1]):
        return None
    return parts[0], parts[-1]


def _masks(row: dict[str, str]) -> Iterator[SourceMask]:
    """Words for convention and provenance that are not understood are handed on: ingest refuses the mask, not the film."""
    for structure in MASK_STRUCTURES:
        cell = clean_text(row.get(structure))
        if cell:
            labels = re.fullmatch(r"(.+)=([1-9]\d{0,4})", cell)  # the picture numbers its structures: masks/001.png=2
            yield SourceMask(
                structure=structure,
                convention=(row.get("mask_convention") or "").strip().lower(),
                provenance=_provenance(row.get("mask_provenance")),
                file=_path(labels[1] if labels else cell),
                lung_value=int(labels[2]) if labels else None,
            )


def _provenance(text: str | None) -> str:
    """The word itself, or the first known word that the text begins with ('landmarks fitted to ...' is landmark)."""
    word = (text or "").strip().lower()
    return next((provenance for provenance in PROVENANCES if word.startswith(provenance)), word)


def _measurements(row: dict[str, str], line: int, doubts: Doubts) -> Iterator[SourceMeasurement]:
    for column in row:
        unit = unit_of(column)
        value = doubts.fact(row, line, column, number) if unit else None
        if value is not None:
            yield SourceMeasurement(name=column, value=value, unit=unit)


def same_patient_ids(note: str) -> tuple[str, ...]:
    """Return the ids in a note such as '(same pt as MCUCXR_0166_1, A17)'.

    An id is a word, an underscore and a number, anywhere after these words, or directly after them any word with a letter and a
    digit: 'same pt as 2 years ago' names nobody, nor does 'not the same pt as A17'.
    """
    words = r"(?<!not )(?<!not the )same (?:pt|patient) as "
    name = r"(?=[\w-]*[a-z])(?=[\w-]*\d)\w[\w-]*"
    found = re.search(rf"{words}([\w ,;-]+)", note, re.IGNORECASE)
    listed = re.search(rf"{words}({name}(?:[,; ]+(?:and )?{name})*)", note, re.IGNORECASE)
    ids = re.findall(name, listed[1], re.IGNORECASE) if listed else []
    return tuple(dict.fromkeys(ids + (re.findall(r"\w+_\d+(?:_\d)?", found[1]) if found else [])))


def without_film_number(name: str) -> str:
    """Return the id in a film's name such as MCUCXR_0166_1, or the name itself where it has no such end."""
    return re.sub(r"^(\w+_\d{3,})_\d$", r"\1", name)


def _person(name: str, patients: set[str]) -> str:
    """Return the id that a name stands for: itself where a row has it, else the one in the name of a film."""
    return name if name in patients else without_film_number(name)


def _named_ids(row: dict[str, str]) -> list[str]:
    """Return the ids in the column same_patient_as, each of which may also be written as a note writes it."""
    parts = _list(clean_text(row.get("same_patient_as")))
    return [name for part in parts for name in same_patient_ids(part) or (part,)]


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split("|") if part.strip())
