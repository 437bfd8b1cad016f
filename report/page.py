"""One self-contained HTML page and its Markdown twin from the same blocks: headings, sentences, tables, figures."""

import base64
import html
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.reasons import visible
from data.writing import atomic_file
from report.plain import plain

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
SCRIPT = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")

PICTURES = "report_files"  # folder of the Markdown twin's pictures
LONG = 32  # letters; longer cells are broken into lines
DRAWN = ("data", "format", "links")  # fields of a block that only a displayed page needs


@dataclass(frozen=True)
class Heading:
    """A section's title; level 2 or 3 (the page's own title is level 1)."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table that sorts by any column. rows: texts and numbers, None is shown as a dash.

    links: per row the `name` of a Picture that the first cell leads to, or None. source: the SQL query the table comes from.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence]
    caption: str = ""
    links: Sequence[str | None] = ()
    source: str = ""


@dataclass(frozen=True)
class Picture:
    """An image file's bytes with its caption; `name` is its anchor and, in the Markdown twin, its file name.

    columns, rows: the numbers that a figure shows, written beside it as CSV; none for a photograph. source: the SQL query.
    """

    name: str
    data: bytes
    caption: str
    format: str = "png"
    columns: Sequence[str] = ()
    rows: Sequence[Sequence] = ()
    source: str = ""


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side."""

    pictures: Sequence[Picture]


Block = Heading | Text | Table | Picture | Gallery


@dataclass
class Page:
    """A report: its title and its blocks in reading order."""

    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Append blocks."""
        self.blocks.extend(blocks)


def write_page(page: Page, folder: Path, formats: Sequence[str] = ("html", "md")) -> Path:
    """Write the page as report.html, report.md (with pictures in report_files/) or report.json; return the first one's path.

    Pictures that an earlier report.md shows and the new one does not are removed; nothing else is.
    """
    outdated = _pictures_shown(folder / "report.md") if "md" in formats else set()
    texts = {"html": render_html, "md": lambda page: render_markdown(page, PICTURES), "json": render_json}
    for format in formats:
        with atomic_file(folder / f"report.{format}") as file:
            file.write(visible(texts[format](page)).encode("utf-8"))
    shown = _pictures(page) if "md" in formats else ()
    pictures = {f"{picture.name}.{picture.format}": picture.data for picture in shown}
    for name, data in pictures.items():
        (folder / PICTURES).mkdir(exist_ok=True)
        with atomic_file(folder / PICTURES / name) as file:
            file.write(data)
    for name in outdated - pictures.keys():
        (folder / PICTURES / name).unlink(missing_ok=True)
    return folder / f"report.{formats[0]}"


def remove_page(folder: Path, formats: Sequence[str]) -> None:
    """Remove an earlier report in these formats, with the pictures that it shows."""
    for format in formats:
        path = folder / f"report.{format}"
        for name in _pictures_shown(path) if format == "md" else ():
            (folder / PICTURES / name).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _pictures_shown(markdown: Path) -> set[str]:
    """Return the names of the pictures in report_files/ that a report.md shows; none where there is no such file."""
    text = markdown.read_text(encoding="utf-8", errors="replace") if markdown.is_file() else ""
    return set(re.findall(rf"\({PICTURES}/([\w.-]+)\)", text))


def render_json(page: Page) -> str:
    """Return the page as JSON: title and blocks in reading order, figures as the numbers they show; NaN is null."""
    blocks = [
        {
            "kind": type(block).__name__.lower(),
            **{key: _plain(value) for key, value in vars(block).items() if key not in DRAWN},
        }
        for block in page.blocks
    ]
    return json.dumps({"title": page.title, "blocks": blocks}, indent=1, allow_nan=False) + "\n"


def _plain(value):
    """A value as JSON knows it; of a picture what is not drawn."""
    if isinstance(value, Picture):
        return {key: _plain(part) for key, part in vars(value).items() if key not in DRAWN}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return plain(value)


def render_html(page: Page) -> str:
    """Return the page as HTML that can be opened offline: style, script and images are inside."""
    title = html.escape(page.title)
    body = "\n".join(_html_block(block) for block in page.blocks)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>\n'
        f"<style>\n{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n{body}\n</main>\n<script>\n{SCRIPT}</script></body></html>\n"
    )


def render_markdown(page: Page, picture_folder: str) -> str:
    """Return the page as Markdown; pictures are linked from `picture_folder`."""
    return f"# {page.title}\n\n" + "\n\n".join(_markdown_block(block, picture_folder) for block in page.blocks) + "\n"


def format_value(value) -> str:
    """Write a cell: four decimals below 10, two below 100, none above; a dash for nothing."""
    if value is None or value != value:
        return "–"
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, float) and 0 < abs(value) < 0.00005:
        return f"{value:.0e}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def _html_block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h{block.level}>{html.escape(block.text)}</h{block.level}>"
        case Text():
            return f"<p>{html.escape(block.text)}</p>"
        case Table():
            return _html_table(block)
        case Picture():
            return _html_picture(block)
        case Gallery():
            return '<div class="gallery">' + "".join(_html_picture(picture) for picture in block.pictures) + "</div>"


def _html_table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"><button type="button">{html.escape(column)}</button></th>' for column in table.columns
    )
    links = list(table.links) or [None] * len(table.rows)
    rows = "\n".join(_html_row(row, link) for row, link in zip(table.rows, links, strict=True))
    caption = f"<caption><span>{html.escape(table.caption)}</span></caption>" if table.caption else ""
    source = _html_source(table.source)
    return f'<div class="table"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>{source}'


def _html_source(source: str) -> str:
    return f'<span class="source"> Query: <code>{html.escape(source)}</code></span>' if source else ""


def _html_row(row: Sequence, link: str | None) -> str:
    cells = []
    for index, value in enumerate(row):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = html.escape(format_value(value))
        if index == 0 and link is not None:
            text = f'<a href="#{html.escape(link)}">{text}</a>'
        key = f' data-value="{value}"'.replace("inf", "Infinity") if number and value == value else ""
        kind = " class=number" if number else " class=long" if len(text) > LONG else ""
        cells.append(f"<td{kind}{key}>{text}</td>")
    return "<tr>" + "".join(cells) + "</tr>"


def _html_picture(picture: Picture) -> str:
    kind = "jpeg" if picture.format == "jpg" else picture.format
    data = base64.b64encode(picture.data).decode("ascii")
    caption = html.escape(picture.caption)
    return (
        f'<figure id="{html.escape(picture.name)}"><img src="data:image/{kind};base64,{data}" alt="{caption}">'
        f"<figcaption>{caption}{_html_source(picture.source)}</figcaption></figure>"
    )


def _markdown_block(block: Block, folder: str) -> str:
    match block:
        case Heading():
            return "#" * block.level + " " + block.text
        case Text():
            return block.text
        case Table():
            return _markdown_table(block)
        case Picture():
            source = f" Query: `{block.source}`" if block.source else ""
            return f"![{block.caption}]({folder}/{block.name}.{block.format})\n\n{block.caption}{source}"
        case Gallery():
            return "\n\n".join(_markdown_block(picture, folder) for picture in block.pictures)


def _markdown_table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    lines = [line(list(table.columns)), "|" + "---|" * len(table.columns)]
    lines += [line([format_value(value) for value in row]) for row in table.rows]
    caption = [f"*{table.caption}*", ""] if table.caption else []
    source = ["", f"Query: `{table.source}`"] if table.source else []
    return "\n".join(caption + lines + source)


def _pictures(page: Page) -> list[Picture]:
    found = []
    for block in page.blocks:
        found += [block] if isinstance(block, Picture) else list(block.pictures) if isinstance(block, Gallery) else []
    return found
