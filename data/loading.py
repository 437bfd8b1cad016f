"""A film into memory, whatever its format: one of one's own with spacing, hash and remarks, or a selected one."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.dicom import is_dicom, read_dicom
from data.reading import read_image, require_picture
from db.records import ImageRecord


class LoadedFilm(NamedTuple):
    """image (H, W) float32 in [0, 1], lungs dark; spacing_mm (row, column) or None; remarks: what a reader should know.

    plane: where the spacing was measured, None where nobody says.
    """

    image: np.ndarray
    spacing_mm: tuple[float, float] | None
    sha256: str
    remarks: tuple[str, ...] = ()
    plane: str | None = None


def load_film(path: Path, photometric: str) -> LoadedFilm:
    """Read a DICOM file or a picture; photometric: how the grey levels of a picture are stored, DICOM says so itself.

    Raises ValueError, OSError or ModuleNotFoundError with one line that says why the film cannot be used.
    """
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise ValueError(f"photometric {photometric!r}; wanted MONOCHROME1 or MONOCHROME2")
    sha256 = hash_file(path)
    if is_dicom(path):
        film = read_dicom(path)
        return LoadedFilm(film.image, film.spacing_mm, sha256, film.remarks, film.plane)
    image = read_image(path, photometric)
    require_picture(image, path)
    return LoadedFilm(image, None, sha256)


def load_record(record: ImageRecord) -> np.ndarray:
    """Read a selected film as (H, W) float32 in [0, 1], lungs dark.

    ValueError where the file has changed since it was ingested: masks and splits are those of the film that it was.
    """
    path = record.path
    if path.is_file() and hash_file(path) != record.content_sha256:
        raise ValueError(
            f"{path}: another file than when it was ingested; bring that one back, or ingest the source again"
        )
    if path.is_file() and is_dicom(path):  # which film it is, the selection has decided
        return read_dicom(path, frontal_only=False).image
    return read_image(path, record.photometric_interpretation)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
