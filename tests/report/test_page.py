import math
import re

import pytest

from report.page import (
    STYLE,
    Gallery,
    Heading,
    Page,
    Picture,
    Table,
    Text,
    format_value,
    render_html,
    render_markdown,
    write_page,
)


@pytest.fixture
def page():
    page = Page("A <title>")
    page.add(
        Heading("Part & whole"),
        Text('Said "so" <script>alert(1)</script>'),
        Table(
            ("film", "Dice"),
            [("a<b>.png", 0.9), ("c|d", None)],
            "A caption",
            links=["film-1", None],
            source="db/queries/x.sql",
        ),
        Gallery([Picture("film-1", b"\x89PNG", "the <film>")]),
    )
    return page


def test_nothing_that_stands_in_the_data_becomes_markup(page):
    text = render_html(page)
    body = text[text.index("<body>") : text.index("<script>")]
    assert "<title>A &lt;title&gt;</title>" in text and "alert(1)" in body
    assert "&lt;script&gt;" in body and "a&lt;b&gt;.png" in body and "the &lt;film&gt;" in body
    assert "<b>" not in body and '<a href="#film-1">' in body and 'id="film-1"' in body


def test_what_would_steer_a_terminal_is_written_out_in_every_format(tmp_path):
    page = Page("Films")
    page.add(Table(("film",), [("\x1b[31mred\x9b.png",), ("\udcff.png",)]))
    write_page(page, tmp_path, ("html", "md", "json"))
    for name in ("report.html", "report.md", "report.json"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert not re.search(r"[\x1b\x9b]", text) and "[31mred" in text
    assert "\\x1b[31mred\\x9b.png" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_numbers_carry_their_value_for_sorting(page):
    text = render_html(page)
    assert 'data-value="0.9">0.9000</td>' in text and "<td>–</td>" in text
    assert "Query: <code>db/queries/x.sql</code>" in text


def test_numbers_without_an_end_can_be_sorted_and_what_is_no_number_has_no_place():
    """As JavaScript reads them: Number("inf") is no number there, and one such cell leaves a column unsorted."""
    text = render_html(Page("t", [Table(("a",), [(math.inf,), (-math.inf,), (math.nan,)], "c")]))
    assert re.findall('data-value="(.*?)"', text) == ["Infinity", "-Infinity"] and text.count("<td class=number") == 3


def test_the_markdown_twin_says_the_same(page, tmp_path):
    text = render_markdown(page, "files")
    assert "## Part & whole" in text and "| a<b>.png | 0.9000 |" in text and "| c\\|d | – |" in text
    assert "![the <film>](files/film-1.png)" in text and "Query: `db/queries/x.sql`" in text
    path = write_page(page, tmp_path)
    assert path.name == "report.html" and (tmp_path / "report_files/film-1.png").read_bytes() == b"\x89PNG"
    assert (tmp_path / "report.md").read_text() == render_markdown(page, "report_files")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.98234, "0.9823"),
        (12.345, "12.35"),
        (437.6, "438"),
        (7, "7"),
        (None, "–"),
        (math.nan, "–"),
        ("x", "x"),
        (-0.5, "-0.5000"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (0.0, "0.0000"),
        (-4e-5, "-4e-05"),
        (5e-5, "0.0001"),
        (10.0, "10.00"),
        (-100.0, "-100"),
    ],
)
def test_numbers_are_written_with_sensible_digits(value, text):
    assert format_value(value) == text


def test_long_cells_and_heads_are_broken_so_that_wide_tables_stay_on_the_page():
    text = render_html(Page("t", [Table(("remarks",), [("spacing at the patient (PixelSpacing)",), ("short",)])]))
    assert "<td class=long>spacing at" in text and "<td>short</td>" in text
    rules = dict(re.findall(r"^(\S.*?) \{ (.*) \}$", STYLE, re.MULTILINE))
    assert "white-space: normal" in rules["th"] and "white-space: normal" in rules["td.long"]
    assert "overflow-x: auto" in rules[".table"]  # what is wider still can be moved


def test_an_unequal_number_of_links_is_a_mistake():
    with pytest.raises(ValueError, match="zip"):
        render_html(Page("t", [Table(("a",), [(1,), (2,)], links=["x"])]))
