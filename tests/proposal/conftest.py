"""One thread: the tests' tensors are tiny, and threads that wait for each other cost more than they bring."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
