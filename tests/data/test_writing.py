import errno
import os
import subprocess
import sys

import pytest

from data.writing import atomic_file, sole_writer


def test_the_file_appears_whole_and_readable_by_others(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" whole")
    assert path.read_text() == "half whole"
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "plain"]


def test_only_what_must_outlive_a_power_cut_waits_for_the_disk(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(os, "fsync", waits.append)
    for durable in (True, False):
        with atomic_file(tmp_path / "a.txt", durable=durable) as file:
            file.write(b"whole")
    assert len(waits) == 1 and (tmp_path / "a.txt").read_text() == "whole"


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"good")
    with pytest.raises(OSError, match="No space"), atomic_file(path) as file:
        file.write(b"new content")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"good" and os.listdir(tmp_path) == ["a.bin"]


def test_two_calls_do_not_write_to_one_folder_and_a_killed_one_leaves_it_free(tmp_path):
    code = "import sys; from pathlib import Path; from data.writing import sole_writer\n"
    code += "with sole_writer(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="another call is writing there; wait for its end"), sole_writer(tmp_path):
            pass
        other.kill()
    for _ in range(2):
        with sole_writer(tmp_path):
            pass
    (tmp_path / "made anew" / ".lock").mkdir(parents=True)
    with pytest.raises(ValueError, match="cannot be written to"), sole_writer(tmp_path / "made anew"):
        pass
