"""Why a film failed, in one line."""

from pathlib import Path

from cli.memory import lacks_memory
from cli.words import one_line


def as_utf8(text: str | Path) -> str:
    """Return a text or path with what UTF-8 cannot hold escaped; file names may contain it, databases and pages may not."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def reason(error: Exception, path: Path) -> str:
    """Return in one line why a film failed, without its path, as the film is named wherever the reason is shown."""
    if lacks_memory(error):
        return f"too large for this machine's memory ({one_line(error)}); scale it down"
    if isinstance(error, PermissionError) and error.strerror:
        return f"{error.strerror}; allow reading it"
    text = str(error).removeprefix(f"{path}: ")
    for again in (f": {str(path)!r}", f" {str(path)!r}"):  # as Python and Pillow add it to what they say
        text = text.replace(again, "")
    return one_line(text or error)
