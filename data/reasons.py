"""Why a film failed, in one line."""

import re
from pathlib import Path

from cli.memory import lacks_memory
from cli.words import escaped, one_line

UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # a file's name may hold any of them


def as_utf8(text: str | Path) -> str:
    """Return a text or path with what UTF-8 cannot hold escaped; file names may contain it, databases and pages may not."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def visible(text: str) -> str:
    """Write out control characters but for line ends and tabs, which would steer a terminal, and what UTF-8 does not have."""
    return UNSEEN.sub(lambda found: escaped(found[0]), text)


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
