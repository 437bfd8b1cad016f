"""Numbered changes of the schema; `schema.sql` is number 1, later ones are SQL texts appended to MIGRATIONS.

The database says in `PRAGMA user_version` how many it has had. Each change and the record of it commit together, so a
process killed half way leaves the old schema, whole.
"""

import re
import sqlite3
from pathlib import Path

from db.transactions import transaction

FOLDER = Path(__file__).parent
SCHEMA = (FOLDER / "schema.sql").read_text(encoding="utf-8")
PREDICTIONS = (FOLDER / "predictions.sql").read_text(encoding="utf-8")
EVALUATION = (FOLDER / "evaluation.sql").read_text(encoding="utf-8")
PERSONS = (FOLDER / "persons.sql").read_text(encoding="utf-8")
LISTED_AGAIN = (FOLDER / "listed_again.sql").read_text(encoding="utf-8")
SAME_PERSON = (FOLDER / "same_person.sql").read_text(encoding="utf-8")
PREDICTED_DICE = (FOLDER / "predicted_dice.sql").read_text(encoding="utf-8")

MIGRATIONS: tuple[str, ...] = (SCHEMA, PREDICTIONS, EVALUATION, PERSONS, LISTED_AGAIN, SAME_PERSON, PREDICTED_DICE)
"""SQL texts in the order they are applied; append, never edit one that was released."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest schema; each pending change runs in one transaction with its version number.

    Raises ValueError when the database is another program's, or newer than this program, which could only damage it.
    """
    refuse_foreign(connection)
    version = schema_version(connection)
    if version < 0:
        raise ValueError(
            f"database has schema version {version}: it is damaged, or not of this toolkit; use another --db"
        )
    if version > len(MIGRATIONS):
        raise ValueError(
            f"database has schema version {version}, this program knows up to {len(MIGRATIONS)}: "
            "it was written by a newer release; update the program or use another --db file"
        )
    for number in range(version + 1, len(MIGRATIONS) + 1):
        _apply(connection, number)
    refuse_loose(connection)


def refuse_loose(connection: sqlite3.Connection) -> None:
    """Raise ValueError where our tables do not keep their types, or a trigger acts: then the file was not made by this toolkit.

    All tables here are STRICT, so that every reader of rows may rely on numbers being numbers.
    """
    ours = re.findall(r"^CREATE TABLE (\w+)", "\n".join(MIGRATIONS), re.MULTILINE)
    for row in connection.execute("PRAGMA main.table_list"):
        if row["name"] in ours and not row["strict"]:
            raise ValueError(
                f"its table {row['name']} does not keep its types (STRICT): it was made elsewhere; ingest the films anew"
            )
    trigger = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchone()
    if trigger is not None:
        raise ValueError(
            f"its trigger {trigger['name']} acts when rows are written, so it was made elsewhere; drop it first"
        )


def refuse_foreign(connection: sqlite3.Connection) -> None:
    """Raise ValueError where the file holds tables that are not of this toolkit, before anything is written to it."""
    if schema_version(connection) != 0:
        return
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    # if the version has changed meanwhile, another process has just made the tables together with the version
    if tables and schema_version(connection) == 0:
        first = ", ".join(tables[:3]) + " ..." * (len(tables) > 3)
        raise ValueError(
            f"a database of another program, which holds {first}; name a file written by this toolkit, or a new one"
        )


def schema_version(connection: sqlite3.Connection) -> int:
    """Return how many migrations the database has had; 0 for a new file."""
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _apply(connection: sqlite3.Connection, number: int) -> None:
    with transaction(connection):
        if schema_version(connection) < number:  # another process may have done it while this one waited for the lock
            for statement in _statements(MIGRATIONS[number - 1]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number:d}")  # PRAGMA takes no parameters


def _statements(script: str) -> list[str]:
    """Split a script at the ends of statements: `executescript` would commit the transaction it runs in."""
    statements, rest = [], ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            statements.append(rest)
            rest = ""
    return statements
