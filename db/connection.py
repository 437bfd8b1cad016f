"""Opening the database: for writing (created and migrated when needed) or for reading only."""

import sqlite3
from pathlib import Path

from db.migrations import migrate, refuse_foreign, schema_version
from db.waiting_connection import WaitingConnection


def connect(path: str | Path, may_be_empty: bool = True) -> sqlite3.Connection:
    """Open the database file for reading and writing, creating or migrating it as needed.

    path: a file, or ':memory:'. may_be_empty: whether a database without tables is given ours. Rows come as sqlite3.Row;
    foreign keys are on; write-ahead logging lets readers and one writer work side by side. Transactions are explicit: use
    `db.transactions.transaction`. Raises ValueError when the file is no SQLite database, is another program's or was written by
    a newer release, FileNotFoundError when its folder does not exist.
    """
    if str(path) != ":memory:" and not Path(path).absolute().parent.is_dir():
        raise FileNotFoundError(
            f"--db {path}: the folder {Path(path).absolute().parent} does not exist; create it first"
        )
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, factory=WaitingConnection)
    except sqlite3.OperationalError as error:
        raise ValueError(f"--db {path}: {error}; is it a folder, or may nothing be written there?") from error
    try:
        return _prepare(connection, may_be_empty)
    except sqlite3.DatabaseError as error:
        connection.close()
        said = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"--db {path}: {said}") from error
    except ValueError as error:
        connection.close()
        raise ValueError(f"--db {path}: {error}") from error


def connect_existing(path: str | Path) -> sqlite3.Connection:
    """Do as `connect`, but raise FileNotFoundError where there is no file: a mistyped name must not become a new database.

    Raises ValueError also where the database is empty.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"--db {path}: no such file; make one with `python -m data.ingest SOURCE FOLDER --db {path}`, or name with --db "
            "where it is now"
        )
    return connect(path, may_be_empty=False)


def _prepare(connection: sqlite3.Connection, may_be_empty: bool) -> sqlite3.Connection:
    connection.row_factory = sqlite3.Row
    refuse_foreign(connection)
    if not may_be_empty and schema_version(connection) == 0:
        raise ValueError("an empty database; fill it with `python -m data.ingest SOURCE FOLDER`, or name another")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    migrate(connection)
    return connection
