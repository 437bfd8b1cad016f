"""Transactions: what is written together."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block as one transaction: all of it is committed, or, when anything is raised, none.

    Raises sqlite3.OperationalError with the file's name where another program keeps writing to it.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        raise sqlite3.OperationalError(f"{file}: {error}; {what_to_do(error)}") from error
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already, and that error is the one to show
            connection.execute("ROLLBACK")
        raise


def what_to_do(error: sqlite3.Error) -> str:
    """Return the remedy for an error of a database that is opened or written to."""
    if "locked" in str(error):
        return "another program is writing to it; try again when that has ended"
    if "readonly" in str(error):
        return "it may only be read; allow writing to it and to its folder, or copy it to where you may write"
    if "is full" in str(error) or "disk I/O" in str(error):
        return "make room on the disk, or name a file on another one"
    if "malformed" in str(error):
        return "the file is damaged; take a copy of it, or ingest the sources into a new one"
    return "name a SQLite file written by this toolkit, or a new one"
