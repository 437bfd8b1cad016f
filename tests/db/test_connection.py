import sqlite3
import threading
from contextlib import closing

import pytest

from db import migrations, waiting_connection
from db.connection import connect, connect_existing
from db.migrations import MIGRATIONS, migrate, schema_version
from db.selection import run_query
from db.transactions import transaction

TABLES = {
    "prediction",
    "prediction_measurement",
    "predicted_quality",
    "source",
    "patient",
    "study",
    "image",
    "mask",
    "measurement",
    "split",
    "run",
    "epoch",
    "score",
    "finding",
    "refusal",
    "lent_fact",
    "same_person",
}


def test_new_database_has_every_table_strict_with_foreign_keys(fresh_db):
    rows = fresh_db.execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    assert {row["name"]: row["strict"] for row in rows} == dict.fromkeys(TABLES, 1)
    assert fresh_db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        fresh_db.execute("INSERT INTO finding (image_id, finding) VALUES (99, 'x')")


def test_checks_refuse_what_the_schema_does_not_know(fresh_db):
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        fresh_db.execute(
            "INSERT INTO run (command, folder, config, status, started_at) VALUES ('train','f','{}','lost','t')"
        )


def test_a_failing_migration_leaves_the_old_schema_whole(monkeypatch, tmp_path):
    path = tmp_path / "films.sqlite"
    connect(path).close()
    broken = "CREATE TABLE extra (x INTEGER) STRICT;\nCREATE TABLE nonsense (;\n"
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection)
    assert schema_version(connection) == len(MIGRATIONS)
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone()[0] == 0


def test_a_newer_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "newer.sqlite"
    connect(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="schema version 99.*update the program"):
        connect(path)
    with pytest.raises(ValueError, match="schema version 99"):
        connect_existing(path)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, only a note that is long enough to have a header" * 10)
    with pytest.raises(ValueError, match="notes.txt"):
        connect(path)
    with pytest.raises(ValueError, match="notes.txt"):
        connect_existing(path)


def test_missing_files_and_folders_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.sqlite: no such file; make one with `python -m data.ingest"):
        connect_existing(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    with pytest.raises(FileNotFoundError, match="create it first"):
        connect(tmp_path / "no folder" / "films.sqlite")


def test_a_transaction_is_all_or_nothing(fresh_db):
    with pytest.raises(RuntimeError), transaction(fresh_db):
        fresh_db.execute("INSERT INTO source (name, root, reader, ingested_at) VALUES ('a', '/', 'manifest', 't')")
        raise RuntimeError("stop in the middle")
    assert fresh_db.execute("SELECT count(*) FROM source").fetchone()[0] == 0


def plain(path):
    """A plain connection that any thread may use."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A connection to films.sqlite that gives up after a moment, and another program's, which is writing."""
    monkeypatch.setattr(waiting_connection, "TELL_SECONDS", 0.05)
    monkeypatch.setattr(waiting_connection, "PATIENCE_SECONDS", 0.3)
    path = tmp_path / "films.sqlite"
    with closing(connect(path)) as ours, closing(plain(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield ours, other


ADD_SOURCE = "INSERT INTO source (name, root, reader, ingested_at) VALUES (?, '/', 'manifest', 't')"


@pytest.mark.parametrize(
    "write",
    [
        lambda ours: ours.execute(ADD_SOURCE, ("a",)),
        lambda ours: ours.executemany(ADD_SOURCE, [("a",), ("b",)]),
        lambda ours: transaction(ours).__enter__(),
    ],
)
def test_a_database_that_another_program_keeps_is_named_whatever_is_written(held, write, capsys):
    with pytest.raises(
        sqlite3.OperationalError, match="films.sqlite: database is locked; another program is writing to it"
    ):
        write(held[0])
    assert "films.sqlite: waiting for another program that writes to it" in capsys.readouterr().err


def test_what_was_worked_out_is_written_when_the_other_program_has_ended(held):
    ours, other = held
    ending = threading.Timer(0.15, other.execute, ("COMMIT",))
    ending.start()
    ours.execute(ADD_SOURCE, ("a",))
    ending.join()
    assert ours.execute("SELECT count(*) FROM source").fetchone()[0] == 1


def test_rows_of_a_damaged_file_name_it_too(tmp_path):
    path = tmp_path / "films.sqlite"
    with closing(connect(path)) as ours:
        ours.executemany(ADD_SOURCE, [(f"{number:06d}" * 50,) for number in range(3000)])
        ours.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = bytearray(path.read_bytes())
    pages[len(pages) // 2 :] = b"\x7f" * (len(pages) - len(pages) // 2)
    path.write_bytes(pages)
    with (
        closing(connect(path)) as ours,
        pytest.raises(ValueError, match="films.sqlite: .*malformed; the file is damaged"),
    ):
        list(run_query(ours, "SELECT name, root FROM source", {}))


def test_a_mistake_in_a_query_is_not_waited_for_whatever_its_words(fresh_db):
    with pytest.raises(sqlite3.OperationalError, match="^no such column: locked$"):
        fresh_db.execute("SELECT locked FROM source")


def test_a_database_that_may_only_be_read_is_named_with_what_helps(fresh_db):
    fresh_db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError, match="readonly database; allow writing to it and to its folder"):
        fresh_db.execute(ADD_SOURCE, ("a",))


def test_a_full_disk_is_named_though_sqlite_has_ended_the_transaction_already(fresh_db):
    fresh_db.execute(f"PRAGMA max_page_count = {fresh_db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(sqlite3.OperationalError, match="database or disk is full; make room"), transaction(fresh_db):
        for number in range(10000):
            row = (f"{number:06d}" * 50,)
            fresh_db.execute(
                "INSERT INTO source (name, root, reader, ingested_at) VALUES (?, '/', 'manifest', 't')", row
            )
    assert fresh_db.execute("SELECT count(*) FROM source").fetchone()[0] == 0


def test_a_database_of_a_negative_version_is_refused(tmp_path):
    connection = connect(tmp_path / "a.sqlite")
    connection.execute("PRAGMA user_version = -3")
    connection.close()
    with pytest.raises(ValueError, match="schema version -3: it is damaged"):
        connect(tmp_path / "a.sqlite")


@pytest.mark.parametrize("opener", [connect, connect_existing])
def test_a_database_of_another_program_is_refused_and_not_touched(tmp_path, opener):
    path = tmp_path / "hospital.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE visit (day TEXT)")
    before = path.read_bytes()
    message = "hospital.sqlite: a database of another program, which holds visit; name a file written by this toolkit"
    with pytest.raises(ValueError, match=message):
        opener(path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["hospital.sqlite"]


def test_an_empty_file_is_no_existing_database_but_may_become_one(tmp_path):
    path = tmp_path / "empty.sqlite"
    path.touch()
    with pytest.raises(ValueError, match="empty.sqlite: an empty database; fill it with"):
        connect_existing(path)
    connect(path).close()
    connect_existing(path).close()


def test_a_database_whose_tables_do_not_keep_their_types_is_refused(tmp_path):
    """A film's name as bytes or a spacing as text once ended in a traceback, hours later."""
    with closing(connect(tmp_path / "ours.sqlite")) as connection:
        tables = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type = 'table' DESC"
        ).fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    with closing(sqlite3.connect(tmp_path / "loose.sqlite")) as connection, connection:
        for (sql,) in tables:
            connection.execute(sql.replace("STRICT", "") if sql.startswith("CREATE TABLE image ") else sql)
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(ValueError, match="loose.sqlite: its table image does not keep its types"):
        connect_existing(tmp_path / "loose.sqlite")


def test_a_database_with_a_trigger_is_refused(tmp_path):
    with closing(connect(tmp_path / "films.sqlite")) as connection:
        connection.execute("CREATE TRIGGER eats AFTER INSERT ON run BEGIN DELETE FROM score; END")
    with pytest.raises(ValueError, match="films.sqlite: its trigger eats acts when rows are written"):
        connect_existing(tmp_path / "films.sqlite")
    with closing(sqlite3.connect(tmp_path / "films.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE own (anything)")  # a table of the user's is none of ours
        connection.execute("DROP TRIGGER eats")
    connect_existing(tmp_path / "films.sqlite").close()
