"""Facts in which the rows of one patient or visit contradict each other."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from db.records import SourceFilm


def without_contradictions(films: Sequence[SourceFilm]) -> tuple[list[SourceFilm], list[str]]:
    """Return the films without what their rows contradict each other in, and a note on each kind of these facts.

    A patient has one sex, a visit one age and one day (either may be stated less exactly) and one offset.
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
        doubtful = [key for key, values in stated.items() if not _agree(values, fact)]
        if fact in ("study_date", "patient_age_years"):  # of values that agree the one that says most
            fullest = {key: max(values, key=_length, default=None) for key, values in stated.items()}
            films = [replace(film, **{fact: fullest[of(film)]}) for film in films]
        if doubtful:
            gone = set(doubtful)
            films = [replace(film, **{fact: None}) if of(film) in gone else film for film in films]
            first = doubtful[0] if isinstance(doubtful[0], str) else ", visit ".join(doubtful[0])
            notes.append(f"{len(doubtful)} {word}, and none is kept; the first: {first}")
    return list(films), notes


def patient_and_visit(film: SourceFilm) -> tuple[str, str]:
    """Return whose film it is, and of which visit."""
    return film.patient_id, film.visit


def _agree(values: Collection, fact: str) -> bool:
    """Tell whether facts are one, dates of which the longest says all that the others say, or ages within the same year.

    A header may state 63 years, and another's dates of birth and study make 63.4.
    """
    if len(values) < 2:
        return True
    if fact == "patient_age_years":
        return max(values) - min(values) < 1
    longest = max(values, key=_length)
    return fact == "study_date" and all(longest.startswith(value) for value in values)


def _length(value: object) -> int:
    """How much a date or an age says: the characters that it is written with."""
    return len(f"{value:g}" if isinstance(value, float) else str(value))
