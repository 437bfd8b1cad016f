"""Values as JSON knows them."""

import math
import re
from collections.abc import Mapping

UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # a file's name may hold any of them


def visible(text: str) -> str:
    """Write out control characters, which would steer a terminal, and bytes of names that are no UTF-8."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def plain(value):
    """Return JSON-ready values: numpy's numbers as Python's, and None for NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
