"""Whether an error means too little memory."""


def lacks_memory(error: Exception) -> bool:
    """Tell whether an error means too little memory; torch reports a lack of CPU memory as a plain RuntimeError."""
    said = ("can't allocate memory", "not enough memory", "out of memory")
    return isinstance(error, MemoryError) or isinstance(error, RuntimeError) and any(w in str(error) for w in said)
