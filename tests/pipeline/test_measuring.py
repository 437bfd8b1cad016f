"""Reference masks that are measured and drawn."""

from pipeline.measuring import measure_references


def test_pictures_of_an_earlier_selection_do_not_stay(tmp_path):
    (tmp_path / "7.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("mine")
    assert list(measure_references([], tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
