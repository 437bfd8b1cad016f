"""COVID-19 Radiography Database (Kaggle): {COVID,Lung_Opacity,Normal,Viral Pneumonia}/{images,masks}/<Class>-N.png.

The masks were made by the authors' network, so their provenance is `model`; they are published at another size (256) than the
films (299) and are scaled. No patient ids exist: every film is a separate patient unless its bytes equal another's.
"""

from collections.abc import Iterator
from pathlib import Path

from data.sources.files import search
from db.records import SourceFilm, SourceMask

CLASSES = {
    "covid": "COVID-19",
    "covid-19": "COVID-19",  # the first releases
    "lung_opacity": "lung opacity",
    "normal": "normal",
    "viral pneumonia": "viral pneumonia",
}
ENDINGS = (".png", ".jpg", ".jpeg")


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield the films of the four class folders, whose names are matched without regard to case."""
    found = False
    for path in (path for path in search(folder) if path.suffix.lower() in ENDINGS):
        parts = [part.lower() for part in path.relative_to(folder).parts]
        label = next((CLASSES[part] for part in parts[:-1] if part in CLASSES), None)
        if label is None or any("mask" in part for part in parts[:-1]):
            continue
        found = True
        yield _film(folder, path, label)
    if not found:
        raise FileNotFoundError(
            f"{folder}: no COVID/, Lung_Opacity/, Normal/ or Viral Pneumonia/ with films (PNG or JPEG) below it"
        )


def _film(folder: Path, path: Path, label: str) -> SourceFilm:
    mask = (
        path.parent.parent / "masks" / path.name
        if path.parent.name.lower() == "images"
        else path.parent / "masks" / path.name
    )
    masks = ()
    if mask.is_file():
        file = mask.relative_to(folder).as_posix()
        masks = (SourceMask(structure="lungs", convention="clear_field", provenance="model", file=file, scaled=True),)
    return SourceFilm(
        file=path.relative_to(folder).as_posix(),
        patient_id=path.stem,
        modality="CR",
        view_position=None,  # the database does not say; PA and AP are mixed
        body_part_examined="CHEST",
        findings=(label,),
        masks=masks,
    )
