"""Call a command again and again, killing it at random moments, until it has been killed often enough; then let it finish.

    python tests/commands/kill_and_rerun.py MODULE KILLS SEED LONGEST_SECONDS ARGUMENT...

Every call is a fork of this process, which has the modules loaded: a kill then falls into the command's own work, and costs no
second start of the interpreter. A training that has begun is gone on with by --resume.
"""

import importlib
import os
import random
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))


def begin(module, arguments):
    """Start the command in a process of its own and return its id."""
    out = Path(arguments[arguments.index("--out") + 1]) if "--out" in arguments else None
    if module.__name__ == "train" and (out / "last.pt").exists():
        arguments = ["--resume", str(out)]
    process = os.fork()
    if process:
        return process
    status = 99
    try:
        status = module.main(arguments)
    except Exception as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)


def main():
    name, kills, seed, longest, *arguments = sys.argv[1:]
    module, draw, hit = importlib.import_module(name), random.Random(int(seed)), 0
    importlib.import_module("matplotlib.pyplot")
    for _ in range(int(kills)):
        process = begin(module, arguments)
        time.sleep(draw.uniform(0, float(longest)))
        os.kill(process, signal.SIGKILL)
        hit += os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    started = time.monotonic()
    process = begin(module, arguments)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(
        f"killed at work: {hit} times, last call: {time.monotonic() - started:.3f} s, status {status}", file=sys.stderr
    )
    sys.exit(status)


if __name__ == "__main__":
    main()
