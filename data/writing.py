"""Writing files so that a reader never sees half of one: a temporary name first, then one rename."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def is_written(path: Path) -> bool:
    """Tell whether a file that `atomic_file` wrote is there with its content, which a power failure may have taken."""
    return path.is_file() and path.stat().st_size > 0


@contextmanager
def atomic_file(path: str | Path, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` for writing and rename it to `path` when the block ends well.

    When the block or the disk fails, the temporary file is removed and what was at `path` before stays as it was. A process
    that is killed leaves no half file at `path`. durable: nor does a power failure; without it a power failure may leave an
    empty file, which is acceptable for what can be made anew and saves waiting for the disk.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:  # x: never over another's file
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())  # the rename must not reach the disk before the content does
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
