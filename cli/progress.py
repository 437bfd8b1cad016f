"""One line that shows the progress of a long job and the time left; plain lines where there is no terminal."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar("Item")
REDRAW_SECONDS = 0.1
PLAIN_LINE_SECONDS = 15.0


class Progress:
    """A progress line for `total` steps, `done` of which were done before this process began.

    `update` may be called at any rate; `close` ends the line. On a terminal the line is redrawn in place. Elsewhere
    (a log file, CI) a plain line is printed every 15 s at most.
    """

    def __init__(self, total: int, label: str, stream: TextIO | None = None, done: int = 0):
        self.total, self.label = total, label
        self.done = self.done_before = done
        self.stream = stream if stream is not None else sys.stderr
        self.on_terminal = self.stream.isatty()
        self.started = self.last_drawn = time.monotonic()
        self.text = ""

    def update(self, steps: int = 1, text: str | None = None) -> None:
        """Count `steps` more as done; text: what to show after the count, kept until the next one."""
        self.done += steps
        self.text = self.text if text is None else text
        now = time.monotonic()
        if now - self.last_drawn >= (REDRAW_SECONDS if self.on_terminal else PLAIN_LINE_SECONDS):
            self._draw(now)

    def close(self) -> None:
        """On a terminal, clear the line, so that what follows begins at its start."""
        if self.on_terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def _draw(self, now: float) -> None:
        self.last_drawn = now
        left = (now - self.started) / max(self.done - self.done_before, 1) * (self.total - self.done)
        line = f"{self.label} {self.done}/{self.total} {self.text} {format_seconds(left)} left"
        self.stream.write(f"\r\x1b[K{line}" if self.on_terminal else f"{line}\n")
        self.stream.flush()


def track(items: Iterable[Item], total: int, label: str, stream: TextIO | None = None) -> Iterator[Item]:
    """Yield the items and show how many are done."""
    progress = Progress(total, label, stream)
    try:
        for item in items:
            yield item
            progress.update()
    finally:
        progress.close()


def format_seconds(seconds: float) -> str:
    """Write a duration as people say it: 42 s, 3:07 min, 2:05 h."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
