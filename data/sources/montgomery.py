"""Montgomery County chest films (US National Library of Medicine), as NLM-MontgomeryCXRSet.zip unpacks.

CXR_png/MCUCXR_NNNN_X.png, ClinicalReadings/*.txt, ManualMask/leftMask and rightMask with the film's own name. All PA, 0.0875 mm
per pixel. Some readings say `same pt as MCUCXR_0162_1`: one person under two ids. Whether leftMask is the patient's left or the
picture's is not stated, so the sides are taken from where the masks lie.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from data.sources.facts import age_years, sex_code
from data.sources.manifest import same_patient_ids, without_film_number
from db.records import SourceFilm, SourceMask

SPACING_MM = 0.0875  # Jaeger et al. 2014
NORMAL, TUBERCULOSIS = "normal", "tuberculosis"
FILM = re.compile(r"MCUCXR_\d{4}_[01]\.png", re.IGNORECASE)  # no copies such as MCUCXR_0001_1 (1).png


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the films of CXR_png; a film without a reading or without masks is a film all the same."""
    films = sorted(path for path in folder.glob("CXR_png/*") if FILM.fullmatch(path.name) and path.is_file())
    if not films:
        raise FileNotFoundError(f"{folder}: no CXR_png/MCUCXR_*.png there; name the folder MontgomerySet")
    for path in films:
        yield _film(folder, path)


def _film(folder: Path, path: Path) -> SourceFilm:
    reading = folder / "ClinicalReadings" / f"{path.stem}.txt"
    text = reading.read_text(encoding="utf-8", errors="replace") if reading.is_file() else ""
    facts = dict(re.findall(r"Patient's (Sex|Age):[ \t]*(\S*)", text))
    note = " ".join(re.sub(r"Patient's (Sex|Age):.*", "", text).split())
    return SourceFilm(
        file=f"CXR_png/{path.name}",
        patient_id=path.stem.rsplit("_", 1)[0],
        patient_sex=sex_code(facts.get("Sex")),
        patient_age_years=age_years(facts.get("Age")),
        modality="CR",
        view_position="PA",
        body_part_examined="CHEST",
        pixel_spacing_mm=(SPACING_MM, SPACING_MM),
        pixel_spacing_origin="published with the data set",
        findings=(TUBERCULOSIS if path.stem.endswith("_1") else NORMAL,),
        note=note or None,
        masks=tuple(_masks(folder, path.name)),
        sides_by_place=True,
        same_patient_as=tuple(map(without_film_number, same_patient_ids(note))),
    )


def _masks(folder: Path, name: str) -> Iterator[SourceMask]:
    for structure, side in (("right_lung", "rightMask"), ("left_lung", "leftMask")):
        if (folder / "ManualMask" / side / name).is_file():
            yield SourceMask(
                structure=structure, convention="clear_field", provenance="manual", file=f"ManualMask/{side}/{name}"
            )
