"""Text for terminals and tables."""

import re


def one_line(message: object) -> str:
    """Return an error's or a file's text in one line that any file and terminal can hold; without text, its type."""
    text = re.sub(r"\s*[\r\n]+\s*", " ", str(message)).strip() or type(message).__name__
    return "".join(character if character.isprintable() else escaped(character) for character in text)


def escaped(character: str) -> str:
    """Write out a character that steers a terminal or that UTF-8 does not have: \\x1b, \\udcff."""
    return character.encode("unicode_escape").decode("ascii")
