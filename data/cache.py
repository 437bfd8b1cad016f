"""Where prepared films are kept, and under which name: that of what they were made from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from db.records import ImageRecord

CACHE_VERSION = 4  # raise when the same settings would give other pixels


def cache_folder(database: Path) -> Path:
    """Where the prepared films of a database are kept: beside it."""
    return database.parent / f"{database.stem}_cache"


def cache_key(records: Sequence[ImageRecord], preprocessing: Mapping[str, object], guests: int) -> str:
    """Return the name of the prepared films: a hash of the films, their files and masks, the settings and how many are guests."""
    digest = hashlib.sha256(json.dumps([CACHE_VERSION, dict(preprocessing), *([guests] if guests else [])]).encode())
    for record in records:
        masks = [(m.structure, str(m.path), m.rle, m.lung_value, _file_stamp(m.path)) for m in record.masks]
        film = (record.content_sha256, record.photometric_interpretation, _file_stamp(record.path))
        digest.update(repr((*film, masks)).encode())
    return digest.hexdigest()[:24]


def _file_stamp(path: Path | None) -> tuple[int, int] | None:
    """Size and time of change: enough to notice that a film was written or a mask drawn anew."""
    if path is None or not path.is_file():
        return None
    status = path.stat()
    return status.st_size, status.st_mtime_ns
