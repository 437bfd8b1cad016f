"""A folder of DICOM films, as a hospital exports them: what is known of each stands in its header.

No table is needed. For films with masks, or with facts that the headers lack, list them in a manifest instead.
"""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from data.dicom import is_dicom
from data.found_films import LEADS_OUT, find_films
from data.sources.manifest import read_rows
from db.records import SourceFilm


def read(folder: Path) -> Iterator[SourceFilm]:
    """Yield every DICOM file of the folder and below, of whatever kind; other files are left alone."""
    top = Path(os.path.abspath(folder if folder.is_dir() else folder.parent))
    found = find_films([folder])
    if found.links:
        warnings.warn(f"{folder}: {len(found.links)} x {LEADS_OUT}; the first: {found.links[0]}", stacklevel=2)
    files = [path.relative_to(top).as_posix() for path in found.films if _may_be_dicom(path)]
    yield from read_rows(folder, top, [(number, {"file": file}) for number, file in enumerate(files, start=1)])


def _may_be_dicom(path: Path) -> bool:
    """Tell whether a found film is DICOM, or may be one: what may not be read is refused where it is opened."""
    try:
        return is_dicom(path)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True
