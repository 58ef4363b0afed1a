"""Settings for all tests."""

import multiprocessing
from collections.abc import Callable

import pytest
from hypothesis import settings

# How long a call takes is measured in benchmarks/, not here, where it would depend on the machine.
settings.register_profile("book", deadline=None)
settings.load_profile("book")


@pytest.fixture
def true_in_a_child() -> Callable[[Callable[[], bool]], bool]:
    """A function that asks a question in a forked child; one that waits for ever has said no."""

    def ask(question: Callable[[], bool]) -> bool:
        answers = multiprocessing.get_context("fork").SimpleQueue()
        child = multiprocessing.get_context("fork").Process(
            target=lambda: answers.put(question()), daemon=True
        )
        child.start()
        child.join(60)
        if child.is_alive():
            child.kill()
            child.join()
            return False
        return child.exitcode == 0 and answers.get()

    return ask
