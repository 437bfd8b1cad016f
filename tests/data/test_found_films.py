import errno
import os
from pathlib import Path

import pytest

from data import found_films
from data.found_films import names_for


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "sub/b.JPG", "sub/notes.txt", "sub/deep/a.png", "x.png/inside.png"):
        path = tmp_path / "films" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "films/link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "films"


def find_films(*args, **kwargs):
    return found_films.find_films(*args, **kwargs).films


def test_folders_are_searched_to_the_bottom_and_links_out_of_them_are_not_followed(folder):
    found = [path.relative_to(folder).as_posix() for path in find_films([folder])]
    assert found == ["a.png", "sub/b.JPG", "sub/deep/a.png", "x.png/inside.png"]
    assert found_films.find_films([folder]).links == [folder / "link.png"], "told, and not passed over"
    (folder / "links").mkdir()
    (folder / "links/a.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(
        ValueError, match="no film but links: .*a.png: a link that leads out of the folder, which is not followed"
    ):
        find_films([folder / "links"])
    assert find_films([folder / "links/a.png"]) == [folder / "links/a.png"]


def test_pictures_of_formats_that_are_not_read_are_told_and_not_passed_over(folder):
    for name in ("a.webp", "sub/b.JP2", "sub/deep/c.jp2", "sub/notes.csv"):
        (folder / name).write_bytes(b"")
    found = [path.relative_to(folder).as_posix() for path in find_films([folder])]
    assert found == ["a.png", "sub/b.JPG", "sub/deep/a.png", "sub/deep/c.jp2", "x.png/inside.png"]


def test_a_folder_that_may_not_be_read_is_named_and_not_passed_over(folder, monkeypatch):
    def closed(path, scandir=os.scandir):  # root may read everything, so say it here
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError, match="may not be read, so nobody can say which films are there.*deep"):
        find_films([folder])


def test_what_any_command_has_written_is_no_film(folder):
    for name in ("ev/scores.csv", "ev/report_files/curves.png", "an/rows_to_look_at.csv", "an/measured/1.png",
                 "run/config.json", "run/curves.png"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    found = [path.relative_to(folder).as_posix() for path in find_films([folder])]
    assert found == ["a.png", "sub/b.JPG", "sub/deep/a.png", "x.png/inside.png"]


def test_masks_that_a_manifest_lists_are_no_films(folder):
    """A folder laid out as the README shows once gave every mask masks."""
    for name in ("m/left/a.png", "m/labels.png", "m/not listed.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / "manifest.csv").write_text(
        "file;left_lung;heart\na.png;m\\left\\a.png;m/labels.png=3\nsub/b.JPG;;a.png\n"
    )
    found = [path.relative_to(folder).as_posix() for path in find_films([folder])]
    assert found == ["a.png", "m/not listed.png", "sub/b.JPG", "sub/deep/a.png", "x.png/inside.png"]
    (folder / "manifest.csv").write_bytes(b"\xff\xfe no table")
    assert len(find_films([folder])) == 7
    assert find_films([folder / "m"]) == [
        folder / "m" / name for name in ("labels.png", "left/a.png", "not listed.png")
    ]


def test_a_link_that_leads_nowhere_is_listed_and_not_lost(folder, tmp_path):
    (folder / "sub/gone.png").symlink_to(folder / "not fetched/gone.png")
    (folder / "sub/notes").symlink_to(folder / "not fetched/notes")
    (folder / "sub/out.png").symlink_to(tmp_path / "not mounted/out.png")  # not followed, there or not
    found = [path.relative_to(folder).as_posix() for path in find_films([folder])]
    assert found == ["a.png", "sub/b.JPG", "sub/deep/a.png", "sub/gone.png", "x.png/inside.png"]


def test_what_macos_leaves_beside_films_is_no_film_unless_it_is_named(folder):
    for name in ("._a.png", "sub/._b.JPG", "sub/._1"):
        (folder / name).write_bytes(b"\0\5\x16\7".ljust(128, b"\0") + b"DICM")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    found = [path.relative_to(folder).as_posix() for path in find_films([folder])]
    assert found == ["a.png", "sub/b.JPG", "sub/deep/a.png", "x.png/inside.png"]
    assert find_films([folder / "._a.png"]) == [folder / "._a.png"]


def test_a_named_file_is_taken_whatever_its_ending_and_none_twice(folder):
    odd = folder / "sub/notes.txt"
    assert find_films([odd, folder / "a.png", folder / "a.png"]) == [odd, folder / "a.png"]


def test_a_film_is_the_same_one_however_its_path_is_spelt(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert find_films([Path("a.png"), folder / "sub/../a.png", Path("./a.png")]) == [folder / "a.png"]


def test_nothing_found_is_said(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no film in .*empty; wanted files ending in .png"):
        find_films([tmp_path / "empty"])
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        find_films([tmp_path / "nowhere"])


def test_equal_stems_get_numbers_that_nobody_else_has():
    paths = [Path("a/x.png"), Path("b/x.png"), Path("c/y.png"), Path("d/x-1.png")]
    assert list(names_for(paths).values()) == ["x-2", "x-3", "y", "x-1"]


def test_what_an_earlier_call_wrote_into_a_searched_folder_is_no_film_unless_it_is_named(folder):
    own = folder / "results"
    for name in ("masks/heart/a.png", "overlays/a.jpg", "kept/c.png"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(b"")
    results = [own / "masks", own / "overlays"]
    found = [path.relative_to(folder).as_posix() for path in find_films([folder], but=results)]
    assert found == ["a.png", "results/kept/c.png", "sub/b.JPG", "sub/deep/a.png", "x.png/inside.png"]
    assert find_films([own / "masks"], but=results) == [own / "masks/heart/a.png"]
    assert find_films([own / "overlays/a.jpg"], but=results) == [own / "overlays/a.jpg"]


@pytest.mark.parametrize("table", ["predictions.sqlite", "predictions.csv", "comparison.csv"])
def test_what_calls_wrote_into_other_folders_is_no_film_and_films_beside_it_are(folder, table):
    for name in (table, "masks/heart/a.png", "overlays/a.jpg", "report_files/one.png", "comparison.png", "own.png"):
        path = folder / "sub/r1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (folder / "masks").mkdir()
    (folder / "masks/film.png").write_bytes(b"")  # a folder of that name with no results beside it
    found = [path.relative_to(folder).as_posix() for path in find_films([folder], but=[folder / "r2/masks"])]
    assert found == [
        "a.png", "masks/film.png", "sub/b.JPG", "sub/deep/a.png", "sub/r1/own.png", "x.png/inside.png",
    ]  # fmt: skip
    assert find_films([folder / "sub/r1"]) == [folder / "sub/r1/own.png"]
    assert find_films([folder / "sub/r1/masks"]) == [folder / "sub/r1/masks/heart/a.png"]
    assert find_films([folder / "sub/r1/comparison.png"]) == [folder / "sub/r1/comparison.png"]


def test_hospitals_endings_are_films_where_they_are_dicom_inside(tmp_path):
    for name in ("vindr.dicom", "siemens.IMA", "one.dic", "2.16.840"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    for name in ("words.dic", "notes.dicom", "IMAGE.ima", "3.16.840"):
        (tmp_path / name).write_bytes(b"words " * 40)
    assert [path.name for path in find_films([tmp_path])] == ["2.16.840", "one.dic", "siemens.IMA", "vindr.dicom"]


def test_many_films_of_one_stem_are_numbered_in_order():
    paths = [Path(f"series{number}/1-1.dcm") for number in range(3000)]
    assert list(names_for(paths).values()) == [f"1-1-{number}" for number in range(1, 3001)]


def test_names_differ_in_more_than_capitals(tmp_path):
    paths = [tmp_path / name for name in ("A.png", "a.jpg", "b.png", "B-1.png", "sub/b.png", "c.png")]
    names = list(names_for(paths).values())
    assert len({name.casefold() for name in names}) == len(paths) and names[-1] == "c"
    assert names_for([tmp_path / "New.png"], {}, ["new"])[tmp_path / "New.png"] == "New-1"
