"""Facts in which the rows of one patient or visit contradict each other."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from db.records import SourceFilm


def without_contradictions(films: Sequence[SourceFilm]) -> tuple[list[SourceFilm], list[str]]:
    """Return the films without what their rows contradict each other in, and a note on each kind of these facts.

    A patient has one sex, a visit one age, one day (one may be stated less exactly) and one offset.
    """
    notes = []
    for fact, of, word in (
        ("patient_sex", lambda film: film.patient_id, "patients have rows of both sexes"),
        ("patient_age_years", patient_and_visit, "visits have rows of several ages"),
        ("study_date", patient_and_visit, "visits have rows of several dates"),
        ("offset_days", patient_and_visit, "visits have rows of several offsets"),
    ):
        stated: dict[object, set] = {}
        for film in films:
            stated.setdefault(of(film), set()).update({getattr(film, fact)} - {None})
        doubtful = [key for key, values in stated.items() if not _agree(values)]
        if fact == "study_date":  # of dates that agree the one that says most
            fullest = {key: max(values, key=len, default=None) for key, values in stated.items()}
            films = [replace(film, study_date=fullest[of(film)]) for film in films]
        if doubtful:
            gone = set(doubtful)
            films = [replace(film, **{fact: None}) if of(film) in gone else film for film in films]
            first = doubtful[0] if isinstance(doubtful[0], str) else ", visit ".join(doubtful[0])
            notes.append(f"{len(doubtful)} {word}, and none is kept; the first: {first}")
    return list(films), notes


def patient_and_visit(film: SourceFilm) -> tuple[str, str]:
    """Return whose film it is, and of which visit."""
    return film.patient_id, film.visit


def _agree(values: Collection) -> bool:
    """Tell whether facts are one, or dates of which the longest says all that the others say."""
    longest = max(map(str, values), key=len, default="")
    return len(values) < 2 or all(isinstance(value, str) and longest.startswith(value) for value in values)
