"""Numbers of things in sentences: one film, two films."""


def counted(number: int, one: str, many: str) -> str:
    """Return the number with its noun. one: for exactly 1; many: for every other number, 0 included."""
    return f"{number} {one if number == 1 else many}"


def films_of_patients(films: int, patients: int) -> str:
    """Return '138 films of 135 patients'."""
    return f"{counted(films, 'film', 'films')} of {counted(patients, 'patient', 'patients')}"
