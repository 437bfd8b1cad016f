"""Two processes write one database at the same time: nobody is turned away, no row is lost or doubled."""

import subprocess
import sys
from pathlib import Path

from db.connection import connect
from db.predictions import open_prediction_run

ROOT = Path(__file__).parent.parent.parent
FILMS = 150
WRITER = """
import sys
from db.connection import connect
from db.predictions import write_prediction
path, run_id, name, films = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
connection = connect(path)
for number in range(films):
    file = f"{name}{number}.png"
    values = {"file": file, "name": file, "input_sha256": file, "network": "n", "height": 9, "width": 7}
    values |= {"review": "", "remarks": ""}
    write_prediction(connection, run_id, values, [("lung_area_ratio", 1.0, "ratio", None)])
"""


def test_two_writers_lose_no_row(tmp_path):
    path = tmp_path / "films.sqlite"
    connection = connect(path)
    run_id = open_prediction_run(connection, tmp_path, "n", {})
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(run_id), name, str(FILMS)], cwd=ROOT)
        for name in ("one", "two")
    ]
    seen = []
    while any(writer.poll() is None for writer in writers):  # a reader is not turned away either
        seen.append(connection.execute("SELECT count(*) FROM prediction").fetchone()[0])
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen == sorted(seen)
    for table in ("prediction", "prediction_measurement"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 2 * FILMS
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_two_processes_that_create_one_database_at_once_both_find_it(tmp_path):
    code = "import sys; from db.connection import connect; connect(sys.argv[1]).execute('SELECT count(*) FROM image')"
    for number in range(3):
        path = str(tmp_path / f"new{number}.sqlite")
        both = [
            subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(2)
        ]
        outcomes = [process.communicate()[1].decode() for process in both]
        assert [process.returncode for process in both] == [0, 0], outcomes


def test_two_processes_that_draw_the_embedded_films_at_once_both_find_them_whole(tmp_path):
    code = (
        "import sys; from data import ingest; ingest.DEFAULT_COUNT = 2; ingest.ensure_phantom(ingest.Path(sys.argv[1]))"
    )
    path = tmp_path / "phantom.sqlite"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    outcomes = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], outcomes
    assert connect(path).execute("SELECT count(*) FROM mask WHERE provenance = 'phantom'").fetchone()[0] == 6
    assert sorted(file.name for file in tmp_path.iterdir() if "sqlite" not in file.name) == ["phantom_films"]
