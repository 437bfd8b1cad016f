import threading
import time

import pytest

from cli.parallel import map_in_order


def test_results_come_in_order_and_no_more_than_needed_is_taken():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield number

    def slow_when_even(number):
        time.sleep(0.002 * (number % 2 == 0))
        return number * number

    results = map_in_order(slow_when_even, items(), threads=3)
    assert [next(results) for _ in range(10)] == [number**2 for number in range(10)]
    assert len(taken) <= 10 + 2 * 3
    assert list(results) == [number**2 for number in range(10, 100)]


def test_an_error_is_raised_in_its_turn_and_what_waits_is_dropped():
    done, lock = [], threading.Lock()

    def work(number):
        if number == 3:
            raise OSError("disk full")
        with lock:
            done.append(number)
        return number

    seen = []
    with pytest.raises(OSError, match="disk full"):
        for result in map_in_order(work, range(1000), threads=2):
            seen.append(result)
    assert seen == [0, 1, 2] and len(done) < 12
