"""Writing files so that a reader never sees half of one: a temporary name first, then one rename."""

import errno
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import BinaryIO

FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # errors after which nothing more can be written


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


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Make a folder, and keep other calls from writing to it; ValueError where one is under way or nothing can be written.

    The lock is SQLite's on a file `.lock`, which stays empty: it works on every system and ends with the process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            lock = held.enter_context(closing(sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)))
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            busy = "another call is writing there; wait for its end or name another folder"
            why = busy if "locked" in str(error) else f"cannot be written to ({error}); name another folder"
            raise ValueError(f"--out {folder}: {why}") from None
        yield
