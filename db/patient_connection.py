"""A connection that waits for another program's writing, and whose errors name the file and what helps."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

Result = TypeVar("Result")

BUSY_TIMEOUT_SECONDS = 30.0
"""How long a statement waits for another process's transaction before the user is told."""
PATIENCE_SECONDS = 600.0
"""How long it waits in all: what a command has worked out in an hour is worth more than an early answer."""
PAUSE_SECONDS = 0.02  # some statements are answered 'locked' at once, whatever the timeout

_READ_ONLY = "allow writing to it and to its folder, or copy it to where you may write"
_NO_ROOM = "make room on the disk, or name a file on another one"
REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program is writing to it; try again when that has ended",
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_IOERR: _NO_ROOM,
    sqlite3.SQLITE_CORRUPT: "the file is damaged; take a copy of it, or ingest the sources into a new one",
    sqlite3.SQLITE_NOTADB: "name a SQLite file written by this toolkit, or a new one",
}
"""What helps where something is wrong with the file, by SQLite's primary result code; a mistake in a query has none."""


class PatientConnection(sqlite3.Connection):
    """A connection for `sqlite3.connect(factory=...)`.

    Where another program holds the database, a statement is tried for PATIENCE_SECONDS, and lines on stderr say so. What is
    wrong with the file raises the same class of error as sqlite3 does, with the file's name and what helps.
    """

    def __init__(self, database, *args, **kwargs):
        self.file = str(database)
        super().__init__(database, *args, **kwargs)

    def execute(self, sql: str, parameters=(), /) -> sqlite3.Cursor:
        """Do as sqlite3's own, and as the class says."""
        return self._tried(lambda: super(PatientConnection, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable, /) -> sqlite3.Cursor:
        """Do as sqlite3's own, and as the class says; parameters: a list, since it may be gone through again."""
        return self._tried(lambda: super(PatientConnection, self).executemany(sql, parameters))

    def _tried(self, statement: Callable[[], Result]) -> Result:
        started = told = time.monotonic()
        while True:
            try:
                return statement()
            except sqlite3.DatabaseError as error:
                code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the reason's details
                now = time.monotonic()
                if code not in REMEDIES:
                    raise
                if code != sqlite3.SQLITE_BUSY or now - started > PATIENCE_SECONDS:
                    raise type(error)(f"{self.file}: {error}; {REMEDIES[code]}") from error
            if now - told >= BUSY_TIMEOUT_SECONDS:
                told = now
                print(f"{self.file}: waiting for another program that writes to it", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)
