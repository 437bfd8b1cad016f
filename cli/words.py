"""Text for terminals and tables."""


def one_line(message: object) -> str:
    """Return an error's or a file's text in one line that any file and terminal can hold; without text, its type."""
    text = " ".join(str(message).split()) or type(message).__name__
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
