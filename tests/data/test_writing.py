import errno
import os

import pytest

from data.writing import atomic_file


def test_the_file_appears_whole_and_readable_by_others(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path, "w") as file:
        file.write("half")
        file.flush()
        assert not path.exists()
        file.write(" whole")
    assert path.read_text() == "half whole"
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "plain"]


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"good")
    with pytest.raises(OSError, match="No space"), atomic_file(path) as file:
        file.write(b"new content")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_bytes() == b"good" and os.listdir(tmp_path) == ["a.bin"]
