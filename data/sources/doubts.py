"""Facts that a source states in words that are not understood: they never cost the film, and a warning tells which."""

from collections.abc import Callable
from typing import TypeVar

from data.sources.facts import clean_text

Fact = TypeVar("Fact")


class Doubts:
    """What was not understood, by the column or the DICOM attribute that states it, with the place of each: a line, or a file."""

    def __init__(self):
        self.texts: list[str] = []
        self.not_understood: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def fact(
        self, row: dict[str, str], line: int, column: str, understand: Callable[[str | None], Fact | None]
    ) -> Fact | None:
        """Return what `understand` makes of the cell, and remember a stated cell that it does not understand."""
        value = understand(row.get(column))
        if value is None and clean_text(row.get(column)) is not None:
            self.add(column, f"line {line}", row[column].strip())
        return value

    def add(self, name: str, place: str, stated: str, then: str = "left out") -> None:
        """Remember that what is stated of a fact in a place was not understood, and what was done then."""
        self.not_understood.setdefault((name, then), []).append((place, stated))

    def lines(self) -> list[str]:
        """Say for each name how many values were not understood and which was the first."""
        return [
            f"{name}: {len(stated)} x not understood and {then}, the first {stated[0][1]!r} in {stated[0][0]}"
            for (name, then), stated in self.not_understood.items()
        ]
