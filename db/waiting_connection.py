"""A connection that waits for another program's writing, and whose errors name the file and what helps."""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

Result = TypeVar("Result")

TELL_SECONDS = 10.0
"""How often the user is told that a statement waits for another process's transaction."""
PATIENCE_SECONDS = 600.0
"""How long it waits in all: what a command has worked out in an hour is worth more than an early answer."""
PAUSE_SECONDS = 0.05  # Ctrl-C is heard between two tries, not while SQLite itself waits

_READ_ONLY = "allow writing to it and to its folder, or copy it to where you may write"
REMEDIES = {
    sqlite3.SQLITE_BUSY: "another program is writing to it; try again when that has ended",
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _READ_ONLY,
    sqlite3.SQLITE_FULL: "make room on the disk, or name a file on another one",
    sqlite3.SQLITE_IOERR: "make room on the disk, look whether it is still there, or name a file on another one",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; take a copy of it, or ingest the sources into a new one",
    sqlite3.SQLITE_NOTADB: "name a SQLite file written by this toolkit, or a new one",
}
"""What helps where something is wrong with the file, by SQLite's primary result code; a mistake in a query has none."""


class WaitingConnection(sqlite3.Connection):
    """A connection for `sqlite3.connect(factory=..., timeout=0)`.

    Where another program holds the database, a statement is tried for PATIENCE_SECONDS, and lines on stderr say so. What is
    wrong with the file raises the same class of error as sqlite3 does, with the file's name and what helps.
    """

    def __init__(self, database, *args, **kwargs):
        self.file = str(database)
        super().__init__(database, *args, **kwargs)

    def execute(self, sql: str, parameters=(), /) -> sqlite3.Cursor:
        """Do as sqlite3's own, and as the class says; what is wrong when rows are fetched later is put by `in_words`."""
        return self._tried(lambda: super(WaitingConnection, self).execute(sql, parameters))

    def executemany(self, sql: str, parameters: Iterable, /) -> sqlite3.Cursor:
        """Do as sqlite3's own, and as the class says; parameters: a list, since it may be gone through again."""
        return self._tried(lambda: super(WaitingConnection, self).executemany(sql, parameters))

    def _tried(self, statement: Callable[[], Result]) -> Result:
        started = told = time.monotonic()
        while True:
            try:
                return statement()
            except sqlite3.DatabaseError as error:
                now = time.monotonic()
                if _code(error) not in REMEDIES:
                    raise
                if _code(error) != sqlite3.SQLITE_BUSY or now - started > PATIENCE_SECONDS:
                    raise type(error)(in_words(error, self)) from error
            if now - told >= TELL_SECONDS:
                told = now
                print(f"{self.file}: waiting for another program that writes to it", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)


def in_words(error: sqlite3.Error | sqlite3.Warning, connection: sqlite3.Connection) -> str:
    """Return what an error says; where something is wrong with the file, also its name and what helps."""
    remedy = REMEDIES.get(_code(error))
    return f"{getattr(connection, 'file', 'the database')}: {error}; {remedy}" if remedy else str(error)


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the reason's details
