"""Values as JSON knows them."""

import math
from collections.abc import Mapping


def plain(value):
    """Return JSON-ready values: numpy's numbers as Python's, and None for NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
