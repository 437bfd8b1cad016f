"""No command ever opens a socket. Films of patients stay where they are."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import analyze
import evaluate
import predict
import train

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "cli", "data", "db", "pipeline", "proposal", "report", "unet")
NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "asyncio", "socketserver", "requests", "webbrowser"}
watched = []


def refuse_sockets(event, arguments):
    """An audit hook stays for the life of the process, so it looks first whether it is meant to act."""
    if watched and event.startswith(("socket.", "urllib.", "http.client", "webbrowser.")):
        watched.append(event)
        raise PermissionError(f"{event} {arguments}: no network")


@pytest.fixture
def no_sockets():
    if not hasattr(sys, "socket_hook_is_set"):
        sys.addaudithook(refuse_sockets)
        sys.socket_hook_is_set = True
    watched.append("watching")
    yield watched
    watched.clear()


def test_the_watch_sees_a_socket(no_sockets):
    import socket

    with pytest.raises(PermissionError, match="no network"):
        socket.socket()
    assert no_sockets == ["watching", "socket.__new__"]


@pytest.mark.parametrize("host", ["example.org", "192.0.2.1"])
def test_no_test_reaches_another_machine(host):
    import socket

    with pytest.raises(PermissionError, match="no network"):
        socket.create_connection((host, 80), timeout=1)


def test_train_evaluate_analyze_and_predict_open_no_socket(no_sockets, phantom_db, tmp_path):
    small = ["--size", "64", "--base", "4", "--epochs", "1", "--precision", "float32", "--device", "cpu", "--seed", "9"]
    run, db = tmp_path / "run", ["--db", str(phantom_db)]
    assert train.main([*db, "--out", str(run), *small]) == 0
    checkpoint = ["--checkpoint", str(run / "best.pt")]
    assert evaluate.main([*db, *checkpoint, "--out", str(tmp_path / "test")]) == 0
    assert analyze.main([*db, "--out", str(tmp_path / "cohort")]) == 0
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 50)).astype(np.uint8)).save(tmp_path / "film.png")
    assert predict.main([str(tmp_path / "film.png"), *checkpoint, "--out", str(tmp_path / "masks")]) == 0
    assert no_sockets == ["watching"]


def test_reports_load_nothing_from_elsewhere(phantom_db, tmp_path):
    assert analyze.main(["--db", str(phantom_db), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not [word for word in ('src="http', 'href="http', "@import", "url(http") if word in page]


def test_no_file_imports_what_opens_sockets():
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")] + list(ROOT.glob("*.py"))
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & NETWORK, path
