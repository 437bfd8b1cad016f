"""Shenzhen chest films (ChinaSet_AllFiles, US National Library of Medicine) with the masks published apart from them.

CXR_png/CHNCXR_NNNN_X.png, ClinicalReadings/*.txt ('male 45yrs' and many misspellings). Masks, for 566 of the 662 films, anywhere
below: CHNCXR_NNNN_X_mask.png. Pixel spacing is not published.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from data.sources.facts import age_years, sex_code
from data.sources.files import search
from db.records import SourceFilm, SourceMask

MASK_ENDING = "_mask.png"
# nothing else: copies, and NLM's masks of single lesions such as CHNCXR_0327_1_Calcified_Nodule_2.png, are no films
FILM = re.compile(r"CHNCXR_\d{4}_[01]\.png", re.IGNORECASE)


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the films found below the folder, however deep the copy nests them."""
    films = [path for path in search(folder) if FILM.fullmatch(path.name) and path.is_file()]
    if not films:
        raise FileNotFoundError(f"{folder}: no CHNCXR_*.png below it; name the folder ChinaSet_AllFiles")
    masks = {
        path.name.removesuffix(MASK_ENDING): path for path in folder.rglob(f"CHNCXR_*{MASK_ENDING}") if path.is_file()
    }
    readings = {path.stem: path for path in folder.rglob("CHNCXR_*.txt")}
    for path in films:
        yield _film(folder, path, masks.get(path.stem), readings.get(path.stem))


def _film(folder: Path, path: Path, mask: Path | None, reading: Path | None) -> SourceFilm:
    text = reading.read_text(encoding="utf-8-sig", errors="replace") if reading is not None else ""
    first, _, rest = text.strip().partition("\n")
    who = re.match(r"\s*(femal|male|f\b|m\b)?[a-z]*[\s,，]*(.*)", first, re.IGNORECASE)
    masks = ()
    if mask is not None:
        file = mask.relative_to(folder).as_posix()
        masks = (SourceMask(structure="lungs", convention="clear_field", provenance="manual", file=file),)
    return SourceFilm(
        file=path.relative_to(folder).as_posix(),
        patient_id=path.stem.rsplit("_", 1)[0],
        patient_sex=sex_code(who[1]),
        patient_age_years=age_years(who[2]),
        modality="CR",
        view_position="PA",
        body_part_examined="CHEST",
        findings=("tuberculosis" if path.stem.endswith("_1") else "normal",),
        note=" ".join(rest.split()) or None,
        masks=masks,
    )
