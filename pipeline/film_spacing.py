"""The pixel spacing of films whose files do not state it: from the call, or from the database."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.loading import LoadedFilm
from db.predictions import stored_spacing


class SpacingSource(NamedTuple):
    """Where the spacing of a film that does not state it comes from: what the call says, else the row of the same bytes in db."""

    given: tuple[float, float] | None = None
    db: Path | None = None

    def complete(self, film: LoadedFilm) -> LoadedFilm:
        """Return the film with a spacing, (row, column) in mm, where one is known, and the remark that says from where."""
        if film.spacing_mm is not None:
            return film
        spacing, origin = self.given, "as the call says"
        if spacing is None and self.db is not None:
            spacing, origin = stored_spacing(self.db, film.sha256), "of the database's row"
        return (
            film if spacing is None else film._replace(spacing_mm=spacing, remarks=(*film.remarks, f"spacing {origin}"))
        )


def spacing_of_call(texts: Sequence[str]) -> tuple[float, float] | None:
    """Read the spacing of rows and columns, mm, from one number or two; None for nothing."""
    if not texts:
        return None
    try:
        values = [float(text) for text in texts]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 2 or not all(0 < value < 100 for value in values):
        raise ValueError(
            f"--pixel-spacing-mm {','.join(texts)}: wanted one number or two, mm between neighbouring pixels"
        )
    return values[0], values[-1]
