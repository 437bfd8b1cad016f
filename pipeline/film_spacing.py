"""The pixel spacing of films whose files do not state it: from the call, or from the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.dicom import is_dicom, stated_spacing
from data.loading import LoadedFilm
from data.sources.facts import LARGEST_MM, SMALLEST_MM, is_possible_spacing
from db.predictions import Done, stored_spacing


class SpacingSource(NamedTuple):
    """Where the spacing of a film that does not state it comes from: what the call says, else the row of the same bytes in db."""

    given: tuple[float, float] | None = None
    db: Path | None = None

    def known(self, content_sha256: str) -> tuple[tuple[float, float] | None, str]:
        """Return the spacing of a film of these bytes, (row, column) in mm or None, and the remark that says from where."""
        if self.given is not None or self.db is None:
            return self.given, "spacing as the call says"
        return stored_spacing(self.db, content_sha256), "spacing of the database's row"

    def is_that_of(self, path: Path, done: Done) -> bool:
        """Tell whether a film that was done before was measured with the spacing that it would have now, or none is known now.

        A call that leaves --pixel-spacing-mm out, to add a film, must not take the millimetres of the others away.
        """
        stated = stated_spacing(path) if is_dicom(path) else None
        now = stated or self.known(done.input_sha256)[0]
        return now is None or done.spacing_mm == now

    def complete(self, film: LoadedFilm) -> LoadedFilm:
        """Return the film with a spacing where one is known; one whose file states it stays as it is."""
        if film.spacing_mm is not None:
            return film
        spacing, remark = self.known(film.sha256)
        return film if spacing is None else film._replace(spacing_mm=spacing, remarks=(*film.remarks, remark))


AS_STATED = SpacingSource()
"""No spacing but what a film's own file states."""


def spacing_of_call(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the spacing of rows and columns, mm, from one number or two; None for nothing."""
    if not values:
        return None
    if len(values) > 2 or not is_possible_spacing(values[0], values[-1]):
        raise ValueError(
            f"--pixel-spacing-mm {','.join(map(str, values))}: wanted one number or two, mm between neighbouring pixels, from "
            f"{SMALLEST_MM:g} to {LARGEST_MM:g}, with a decimal point, not a comma"
        )
    return values[0], values[-1]
