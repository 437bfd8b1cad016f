"""SIGKILL at random moments of training, ingest and prediction, then the same call again: nothing lost, nothing twice.

KILLS sets how often each of them is killed (default 2); `make torture` kills each 20 times.
"""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from db.connection import connect
from unet.checkpoint import load_checkpoint

KILLS = int(os.environ.get("KILLS", "2"))
SCRIPT = Path(__file__).parent / "kill_and_rerun.py"
TABLES = ("patient", "study", "image", "mask", "finding", "split")


def call(module, kills, longest, *arguments):
    """Return how often it was killed at work and how long its last call took; longest: seconds until a kill at the latest."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, SCRIPT, module, kills, kills, longest, *arguments]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    hits, seconds = re.search(r"killed at work: (\d+) times, last call: ([\d.]+) s", done.stderr).groups()
    return int(hits), float(seconds)


def whole_and_killed(module, whole, killed, latest=0.4):
    """Call once undisturbed and once killed at moments drawn from the time that took, each at that share of it at the latest."""
    _, seconds = call(module, 0, 0, *whole)
    hits, _ = call(module, KILLS, latest * seconds, *killed)
    print(f"{module}: killed at work {hits} of {KILLS} times")
    if KILLS >= 10:  # of two, a machine that is busy now and idle later may miss both
        assert hits >= KILLS // 2


def write_films(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 255, (70, 60 + number)).astype(np.uint8)).save(folder / f"film{number}.png")
    return folder


def test_a_training_killed_again_and_again_ends_with_the_same_weights(phantom_db, tmp_path):
    small = ["--db", phantom_db, "--size", "64", "--base", "4", "--epochs", "4", "--precision", "float32", "--device", "cpu",
             "--batch-size", "4", "--seed", "9"]  # fmt: skip
    whole_and_killed("train", [*small, "--out", tmp_path / "whole"], [*small, "--out", tmp_path / "killed"])
    for name in ("best.pt", "last.pt"):
        whole, killed = (load_checkpoint(tmp_path / folder / name).weights for folder in ("whole", "killed"))
        assert all(torch.equal(whole[key], killed[key]) for key in whole), name
    connection = connect(phantom_db)
    runs = connection.execute(
        "SELECT * FROM run WHERE folder = ? ORDER BY run_id", (str(tmp_path / "killed"),)
    ).fetchall()
    # one that was killed before its first checkpoint has failed; the others went on with it
    assert [run["status"] for run in runs] == ["failed"] * (len(runs) - 1) + ["finished"]
    epochs = connection.execute(
        "SELECT epoch FROM epoch WHERE run_id = ? ORDER BY epoch", (runs[-1]["run_id"],)
    ).fetchall()
    assert [row["epoch"] for row in epochs] == [1, 2, 3, 4]
    with open(tmp_path / "killed/metrics.csv") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


def test_an_ingest_killed_again_and_again_holds_every_film_once(tmp_path):
    folder = write_films(tmp_path / "films", 60)
    rows = [
        {"file": path.name, "patient_id": f"p{number % 9}"} for number, path in enumerate(sorted(folder.glob("*.png")))
    ]
    with open(folder / "manifest.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "patient_id"])
        writer.writeheader()
        writer.writerows(rows)
    same = ["manifest", folder, "--db"]
    whole_and_killed("data.ingest", [*same, tmp_path / "whole.sqlite"], [*same, tmp_path / "killed.sqlite"])
    whole, killed = connect(tmp_path / "whole.sqlite"), connect(tmp_path / "killed.sqlite")
    assert whole.execute("SELECT count(*) FROM image").fetchone()[0] == 60
    for table in TABLES:
        count = f"SELECT count(*) FROM {table}"
        assert killed.execute(count).fetchone()[0] == whole.execute(count).fetchone()[0], table
    files = "SELECT file, content_sha256, study_id FROM image ORDER BY file"
    assert [tuple(row) for row in killed.execute(files)] == [tuple(row) for row in whole.execute(files)]
    assert killed.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_prediction_killed_again_and_again_has_every_film_once(network, tmp_path):
    folder = write_films(tmp_path / "films", 15)
    same = [folder, "--checkpoint", network, "--precision", "float32", "--device", "cpu"]
    latest = min(0.4, 2 / KILLS)  # what was done before stays done, so that later kills would find no work
    whole_and_killed("predict", [*same, "--out", tmp_path / "whole"], [*same, "--out", tmp_path / "killed"], latest)
    rows = []
    for name in ("whole", "killed"):
        with open(tmp_path / name / "predictions.csv") as file:
            rows.append(sorted(csv.DictReader(file), key=lambda row: row["file"]))
    assert len(rows[0]) == 15 and rows[0] == rows[1]
    masks = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole/masks").rglob("*.png"))
    assert len(masks) == 4 * 15
    for mask in masks:
        assert (tmp_path / "whole" / mask).read_bytes() == (tmp_path / "killed" / mask).read_bytes(), mask
