"""The page of predictions: what a reader may take from it."""

from report.known_errors import RATIO_ERROR, UNCHECKED, UNJUDGED, UNJUDGED_LUNGS
from report.page import Gallery, Heading, Table
from report.prediction import GALLERY, LISTED, prediction_page


def row(name, review="", strangeness=0.2, ratio=0.4567):
    return {
        "file": f"/films/{name}.png", "name": name, "review": review, "remarks": "", "predicted_dice": 0.97,
        "strangeness": strangeness, "cardiothoracic_ratio": ratio,
    }  # fmt: skip


def test_a_film_without_doubts_is_not_called_free_of_findings_and_a_doubtful_ratio_is_marked(tmp_path):
    rows = [row("strange", "unlike chest films", 2.0), row("poor", "predicted Dice of the heart 0.50"), row("good")]
    for one in rows:
        (tmp_path / f"{one['name']}.jpg").write_bytes(b"picture")
    page = prediction_page({"films": 3, "review": 2, "failed": 0}, rows, [], tmp_path)
    table = next(block for block in page.blocks if isinstance(block, Table))
    assert [line[1] for line in table.rows] == ["unlike chest films", "predicted Dice of the heart 0.50", "none found"]
    assert [line[3] for line in table.rows] == [None, "0.46 ?", "0.46"]
    captions = [picture.caption for block in page.blocks if isinstance(block, Gallery) for picture in block.pictures]
    assert captions[2] == "good.png: no reason to doubt the masks found"
    assert any("Nothing here looks for disease" in getattr(block, "text", "") for block in page.blocks)


def test_films_of_one_stem_are_told_apart_by_their_folder(tmp_path):
    rows = [{**row(f"IM1-{n}"), "file": f"/films/{folder}/IM1.dcm"} for n, folder in ((1, "ward"), (2, "clinic"))]
    rows.append({**row("other"), "file": "/films/other.dcm"})
    for one in rows:
        (tmp_path / f"{one['name']}.jpg").write_bytes(b"picture")
    page = prediction_page({"films": 3, "review": 0, "failed": 0}, rows, [], tmp_path)
    named = ["ward/IM1.dcm (masks: IM1-1)", "clinic/IM1.dcm (masks: IM1-2)", "other.dcm"]
    table = next(block for block in page.blocks if isinstance(block, Table))
    assert [line[0] for line in table.rows] == named
    gallery = next(block for block in page.blocks if isinstance(block, Gallery))
    assert [picture.caption.partition(":")[0] for picture in gallery.pictures][2] == "other.dcm"


def test_a_network_that_cannot_look_for_doubts_does_not_find_none(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"picture")
    for said in (UNCHECKED, UNJUDGED_LUNGS):
        page = prediction_page({"films": 1, "review": 0, "failed": 0}, [{**row("a"), "remarks": said}], [], tmp_path)
        table = next(block for block in page.blocks if isinstance(block, Table))
        assert table.rows[0][1] == "not checked" and "Look at every overlay." in page.blocks[0].text
        (gallery,) = (block for block in page.blocks if isinstance(block, Gallery))
        assert gallery.pictures[0].caption == "a.png: not checked"


def test_what_failed_is_listed_and_what_is_not_shown_is_said(tmp_path):
    (tmp_path / "b.jpg").write_bytes(b"picture")  # the overlay of a has been removed since
    page = prediction_page(
        {"films": 7, "review": 0, "failed": 1}, [row("a", strangeness=None), row("b", strangeness=1.0)], [("c.png", "cut off")],
        tmp_path,
    )  # fmt: skip
    every, failed = (block for block in page.blocks if isinstance(block, Table))
    assert every.links == [None, "film-1"] and "The first 2; all are in predictions.csv." in every.caption
    assert [line[3] for line in every.rows] == ["0.46", "0.46"]  # not above 1 is not strange
    assert failed.rows == [("c.png", "cut off")]
    whole = prediction_page({"films": 1, "review": 0, "failed": 0}, [row("a")], [], tmp_path)
    (table,) = (block for block in whole.blocks if isinstance(block, Table))
    assert "The first" not in table.caption
    headings = [block.text for block in page.blocks if isinstance(block, Heading)]
    assert headings == ["Every film", "Failed", "Overlays"]


def test_ratios_of_hearts_that_nobody_has_judged_are_marked_and_not_vouched_for(tmp_path):
    judged, unjudged = row("a"), {**row("b"), "remarks": f"turned; {UNJUDGED}"}
    for rows, told in (([judged], False), ([judged, unjudged], True)):
        page = prediction_page({"films": len(rows), "review": 0, "failed": 0}, rows, [], tmp_path)
        table = next(block for block in page.blocks if isinstance(block, Table))
        assert ("hearts and ratios have not been judged" in table.caption) == told != (RATIO_ERROR in table.caption)
    assert [line[3] for line in table.rows] == ["0.46", "0.46 ?"]


def test_a_page_of_thousands_stays_one_that_a_browser_opens_and_counts_them(tmp_path):
    rows = [row(f"f{n}") for n in range(GALLERY + 1)]
    for one in rows:
        (tmp_path / f"{one['name']}.jpg").write_bytes(b"picture")
    failures = [(f"{n}.png", "cut off") for n in range(LISTED + 1)]
    page = prediction_page({"films": 99, "review": 1, "failed": len(failures)}, rows, failures, tmp_path)
    (gallery,) = (block for block in page.blocks if isinstance(block, Gallery))
    every, failed = (block for block in page.blocks if isinstance(block, Table))
    assert len(gallery.pictures) == GALLERY and every.links[-2:] == [f"film-{GALLERY - 1}", None]
    assert len(failed.rows) == LISTED
    assert page.blocks[0].text.startswith("99 films have masks, 1 is to be looked at; 2001 failed.")
