"""How every command ends: with a status, and one line on stderr when the call or its input was wrong."""

import errno
import os
import signal
import sqlite3
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from io import TextIOWrapper

from cli.memory import lacks_memory
from cli.words import one_line

DONE, SOME_FAILED, WRONG_CALL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


def run(main: Callable[[list[str]], int]) -> None:
    """Call `main` with the process's arguments and exit with its status.

    ValueError, OSError, database errors, a missing module and a lack of memory become one line on stderr and status 2; with
    --debug they keep their traceback. Ctrl-C ends with status 130; a command that has something to save does so before it gets
    here. Where the reader of the output has gone, as with `| head`, the status is 141. A warning is one line too.
    """
    argv = sys.argv[1:]
    if "--debug" not in argv:
        warnings.showwarning = _tell_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack a letter of a file's name
    try:
        status = main(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends the process at once and without a traceback
        print("\nInterrupted", file=sys.stderr)
        status = INTERRUPTED
    except BrokenPipeError:
        # the reader of the output has closed it, as `| head` does; Python would write what is left once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    except (ValueError, OSError, sqlite3.Error, ModuleNotFoundError) as error:
        if "--debug" in argv:
            raise
        print(f"error: {one_line(_in_words(error))}", file=sys.stderr)
        status = WRONG_CALL
    except (MemoryError, RuntimeError) as error:
        why = _lack_of_memory(error)
        if why is None or "--debug" in argv:
            raise
        print(f"error: {why}", file=sys.stderr)
        status = WRONG_CALL
    sys.exit(status)


def _tell_warning(message: Warning | str, *_where: object) -> None:
    """Print a warning as one line, without the place in the code, which says nothing to who called the command."""
    print(f"warning: {one_line(message)}", file=sys.stderr)


def check_alone(command: str) -> None:
    """Raise ValueError where torchrun has started several processes of a command that they cannot share."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(f"{command} is not shared between processes; call python, not torchrun")


def _in_words(error: Exception) -> object:
    """Return what to say of an error: of a file that the system refuses, in words and with what helps."""
    if isinstance(error, FileExistsError):
        return f"{error.filename} is there and is no folder; name another one for the results"
    if isinstance(error, NotADirectoryError):
        return f"{error.filename}: a part of it is a file, not a folder; name another one"
    if isinstance(error, PermissionError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; allow it, or name another place"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error.filename or 'the disk of the results'}: {error.strerror}; make room and call again, what was done stays"
    return error


def _lack_of_memory(error: Exception) -> str | None:
    """Return what to say where an error means too little memory; else None."""
    if isinstance(error, BrokenExecutor):
        return "a worker process was ended from outside, most likely for want of memory; close other programs, or use fewer films"
    if lacks_memory(error):
        return f"too little memory ({' '.join(str(error).split())[:200]}); close other programs, or make size or batch smaller"
    return None
