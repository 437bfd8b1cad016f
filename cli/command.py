"""How every command ends: a status of 0, 1 or 2, and one line on stderr when the call or its input was wrong."""

import os
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import BrokenExecutor

from cli.memory import lacks_memory

DONE, SOME_FAILED, WRONG_CALL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def run(main: Callable[[list[str]], int]) -> None:
    """Call `main` with the process's arguments and exit with its status.

    ValueError, OSError, database errors and a lack of memory become one line on stderr and status 2; with --debug they keep
    their traceback. Ctrl-C ends with status 130; a command that has something to save does so before it gets here.
    """
    argv = sys.argv[1:]
    try:
        status = main(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        # the reader of the output has closed it, as `| head` does; Python would write what is left once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    except FileExistsError as error:
        if "--debug" in argv:
            raise
        print(f"error: {error.filename} is there and is no folder; name another one for the results", file=sys.stderr)
        status = WRONG_CALL
    except (ValueError, OSError, sqlite3.Error, ModuleNotFoundError) as error:
        if "--debug" in argv:
            raise
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        status = WRONG_CALL
    except (MemoryError, RuntimeError) as error:
        why = _lack_of_memory(error)
        if why is None or "--debug" in argv:
            raise
        print(f"error: {why}", file=sys.stderr)
        status = WRONG_CALL
    sys.exit(status)


def _lack_of_memory(error: Exception) -> str | None:
    """Return what to say where an error means too little memory; else None."""
    if isinstance(error, BrokenExecutor):
        return "a worker process was ended from outside, most likely for want of memory; close other programs, or use fewer films"
    if lacks_memory(error):
        return f"too little memory ({' '.join(str(error).split())[:200]}); close other programs, or make size or batch smaller"
    return None
