"""Numbers in sentences and cells: one film, two films; from one bound to another."""


def counted(number: int, one: str, many: str) -> str:
    """Return the number with its noun. one: for exactly 1; many: for every other number, 0 included."""
    return f"{number} {one if number == 1 else many}"


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters, the last one an ellipsis where something is left out."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def films_of_patients(films: int, patients: int) -> str:
    """Return '138 films of 135 patients'."""
    return f"{counted(films, 'film', 'films')} of {counted(patients, 'patient', 'patients')}"


def between(low: float | None, high: float | None, form: str = ".4f") -> str | None:
    """Return '0.9812 to 0.9840', an interval's bounds; None where they are not known (None or NaN)."""
    return None if low is None or low != low else f"{low:{form}} to {high:{form}}"
