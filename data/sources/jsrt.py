"""JSRT chest films (Japanese Society of Radiological Technology) with the SCR masks (van Ginneken et al. 2006).

All247images/JPCxxnnn.IMG: headerless 2048 x 2048 big-endian 16-bit, stored inverted, 0.175 mm per pixel. SCR masks, anywhere
below: fold1|fold2/masks/{left lung,right lung,heart}/JPCxxnnn.gif of 1024 x 1024. Facts: CLNDAT_EN.txt (nodules) and
CNNDAT_EN.TXT, whose lines end in a carriage return alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from data.sources.facts import age_years, sex_code
from data.sources.files import own_files, search
from db.records import SourceFilm, SourceMask

SPACING_MM = 0.175
MASK_FOLDERS = {"right_lung": "right lung", "left_lung": "left lung", "heart": "heart"}


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the films found below the folder; one patient per film, as the source gives no patient ids."""
    files = search(folder)
    films = [path for path in files if re.fullmatch(r"JPC[LN]N\d{3}\.img", path.name, re.IGNORECASE)]
    if not films:
        raise FileNotFoundError(
            f"{folder}: no JPCLNnnn.IMG or JPCNNnnn.IMG below it; name the folder that All247images is in"
        )
    facts = {**_nodule_facts(folder), **_normal_facts(folder)}
    masks = {(path.parent.name.lower(), path.stem.upper()): path for path in files if path.suffix.lower() == ".gif"}
    for path in films:
        stem = path.stem.upper()
        age, sex, findings, note = facts.get(stem, (None, None, (), None))
        yield SourceFilm(
            file=path.relative_to(folder).as_posix(),
            patient_id=stem,
            patient_sex=sex,
            patient_age_years=age,
            modality="CR",
            view_position="PA",
            body_part_examined="CHEST",
            photometric_interpretation="MONOCHROME1",
            pixel_spacing_mm=(SPACING_MM, SPACING_MM),
            pixel_spacing_origin="published with the data set",
            findings=findings,
            note=note,
            masks=tuple(_masks(folder, stem, masks)),
        )


def _masks(folder: Path, stem: str, masks: dict[tuple[str, str], Path]) -> Iterator[SourceMask]:
    for structure, name in MASK_FOLDERS.items():
        if (name, stem) in masks:
            file = masks[name, stem].relative_to(folder).as_posix()
            yield SourceMask(structure=structure, convention="clear_field", provenance="manual", file=file, scaled=True)


def _nodule_facts(folder: Path) -> dict[str, tuple]:
    """CLNDAT_EN.txt: 12 tab-separated fields; tabs also cut words in the middle, so the last fields are joined again."""
    facts = {}
    for fields in _lines(folder, "CLNDAT_EN.txt", "\t"):
        if len(fields) >= 8 and fields[0].upper().startswith("JPCLN"):
            diagnosis = re.sub(r"\s+", " ", "".join(fields[10:12]).strip()) or None
            facts[fields[0][:8].upper()] = (
                age_years(fields[3]),
                sex_code(fields[4]),
                ("nodule", fields[7].strip()),
                diagnosis,
            )
    return facts


def _normal_facts(folder: Path) -> dict[str, tuple]:
    """CNNDAT_EN.TXT: file, age, sex and 'non-nodule', separated by blanks."""
    facts = {}
    for fields in _lines(folder, "CNNDAT_EN.TXT", None):
        if len(fields) >= 3 and fields[0].upper().startswith("JPCNN"):
            facts[fields[0][:8].upper()] = (age_years(fields[1]), sex_code(fields[2]), ("non-nodule",), None)
    return facts


def _lines(folder: Path, name: str, separator: str | None) -> Iterator[list[str]]:
    for path in own_files(folder.rglob("*")):
        if path.name.lower() == name.lower():
            for line in re.split(r"[\r\n]+", path.read_bytes().decode("latin-1")):
                yield line.split(separator)
