import errno
import io
import os
import signal
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from cli import command
from cli.progress import Progress, format_seconds, track


def call(monkeypatch, main, *argv):
    monkeypatch.setattr(sys, "argv", ["prog", *argv])
    with pytest.raises(SystemExit) as stop:
        command.run(main)
    return stop.value.code


def fail(_argv):
    raise ValueError("film.png:\n  wanted 8 bits")


def test_errors_are_one_line_and_status_two(monkeypatch, capsys):
    assert call(monkeypatch, fail) == 2
    assert capsys.readouterr().err == "error: film.png: wanted 8 bits\n"


def test_a_file_in_place_of_the_folder_for_results_is_named(monkeypatch, capsys, tmp_path):
    (tmp_path / "out").touch()
    assert call(monkeypatch, lambda argv: (tmp_path / "out").mkdir(parents=True, exist_ok=True)) == 2
    assert (
        capsys.readouterr().err
        == f"error: {tmp_path / 'out'} is there and is no folder; name another one for the results\n"
    )


def test_a_file_within_the_path_of_the_folder_for_results_is_named(monkeypatch, capsys, tmp_path):
    (tmp_path / "a  file").touch()
    assert call(monkeypatch, lambda argv: (tmp_path / "a  file/out").mkdir(parents=True)) == 2
    assert "a  file/out: a part of it is a file, not a folder; name another one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "named"), [("/archive/out/a.png", "/archive/out/a.png"), (None, "the disk of the results")]
)
def test_a_full_disk_is_told_in_words(monkeypatch, capsys, file, named):
    def write(_argv):
        raise OSError(errno.ENOSPC, "No space left on device", file)

    assert call(monkeypatch, write) == 2
    told = f"error: {named}: No space left on device; make room and call again, what was done stays\n"
    assert capsys.readouterr().err == told


def test_what_the_system_does_not_permit_is_told_in_words(monkeypatch, capsys):
    def write(_argv):
        raise PermissionError(13, "Permission denied", "/archive/out")

    assert call(monkeypatch, write) == 2
    assert capsys.readouterr().err == "error: /archive/out: Permission denied; allow it, or name another place\n"


def test_a_warning_is_one_line_without_a_place_in_the_code():
    code = "import warnings; from cli import command; command.run(lambda argv: warnings.warn('film.dcm: odd\\nvalue'))"
    for flags, said in (([], "warning: film.dcm: odd value\n"), (["--debug"], "UserWarning: film.dcm")):
        told = subprocess.run([sys.executable, "-c", code, *flags], capture_output=True, text=True).stderr
        assert told == said or flags and said in told


def test_debug_keeps_the_traceback(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["prog", "--debug"])
    with pytest.raises(ValueError, match="wanted 8 bits"):
        command.run(fail)


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        call(monkeypatch, lambda argv: 1 // 0)


def test_the_status_of_main_is_the_status_of_the_process(monkeypatch):
    assert call(monkeypatch, lambda argv: 1) == 1


def test_ctrl_c_ends_with_130_and_a_second_one_ends_the_process(monkeypatch, capsys):
    def stop(_argv):
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    try:
        assert call(monkeypatch, stop) == 130 and signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert capsys.readouterr().err == "\nInterrupted\n"
    finally:
        signal.signal(signal.SIGINT, before)


def fails_without_a_word(_argv):
    raise OSError


def test_a_name_that_would_colour_the_terminal_or_that_it_lacks_is_written_out(monkeypatch, capsys):
    def fails(_argv):
        raise ValueError("\x1b[31mfilm.png: wanted 8 bits")

    assert call(monkeypatch, fails) == 2
    assert capsys.readouterr().err == "error: \\x1b[31mfilm.png: wanted 8 bits\n"
    assert call(monkeypatch, fails_without_a_word) == 2
    assert capsys.readouterr().err == "error: OSError\n"
    code = "from cli.command import run; run(lambda _: print('f\\u00fcr \\udcff') or 0)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent.parent, capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"f\\xfcr \\udcff\n")


def test_progress_is_silent_between_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    assert list(track(range(5), 5, "reading", stream)) == [0, 1, 2, 3, 4]
    assert stream.getvalue() == ""


def test_progress_redraws_on_a_terminal():
    stream = io.StringIO()
    stream.isatty = lambda: True
    progress = Progress(4, "reading", stream)
    progress.last_drawn -= 1
    progress.update(text="7.0 films/s")
    assert "\rreading" not in stream.getvalue() and "reading 1/4 7.0 films/s" in stream.getvalue()
    progress.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_time_left_counts_only_what_this_process_did():
    stream = io.StringIO()
    stream.isatty = lambda: True
    progress = Progress(100, "step", stream, done=50)
    progress.started -= 10
    progress.last_drawn -= 1
    progress.update()
    assert "51/100" in stream.getvalue() and "8:10 min left" in stream.getvalue()  # 49 more steps of 10 s each


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59.6, "1:00 min"), (187, "3:07 min"), (7500, "2:05 h")])
def test_durations(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize("lines, flush", [(5, False), (5, True), (100_000, False)])
def test_a_reader_that_has_gone_leaves_a_status_that_says_so(lines, flush):
    code = f"from cli.command import run; run(lambda _: [print('line', flush={flush}) for _ in range({lines})] and 0)"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent.parent, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        process.stdout.close()
        assert process.wait(timeout=60) == 141 and process.stderr.read() == b""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "too little memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "too little memory",
        ),
        (BrokenProcessPool("ended"), "a worker process was ended from outside"),
    ],
)
def test_a_lack_of_memory_is_one_line(monkeypatch, capsys, error, said):
    def fails(_argv):
        raise error

    assert call(monkeypatch, fails) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")


def test_another_runtime_error_is_a_mistake_of_ours(monkeypatch):
    def fails(_argv):
        raise RuntimeError("unsupported memory format")

    with pytest.raises(RuntimeError, match="unsupported"):
        call(monkeypatch, fails)
