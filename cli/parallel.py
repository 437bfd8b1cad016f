"""Work done by several threads at once, returned in order, with no more of it under way than needed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield work(item) for every item, in order; at most two items per thread are taken ahead.

    What `work` raises is raised here, after the items under way have finished; waiting items are dropped.
    """
    waiting: deque[Future[Result]] = deque()
    items = iter(items)
    pool = ThreadPoolExecutor(threads)
    try:
        for item in islice(items, 2 * threads):
            waiting.append(pool.submit(work, item))
        while waiting:
            result = waiting.popleft().result()
            for item in islice(items, 1):
                waiting.append(pool.submit(work, item))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
