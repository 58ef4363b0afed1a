"""The one event loop of a process, for async code that is called synchronously.

    >>> import asyncio
    >>> wait_for(asyncio.sleep(0, "done"))
    'done'

A client's connections and limits belong to the loop that they were made in, so every call of a
process has to run in the same one. It runs in a thread of its own, from the first call on. A forked
child has neither that thread nor the right to its parent's connections: it starts a loop of its own.

Standard library only.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["submit", "wait_for"]

T = TypeVar("T")

_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_starting = threading.Lock()


def submit(coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
    """Run a coroutine in the loop of this process; the future may be waited for in any other."""
    global _loop, _thread
    with _starting:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="shared loop", daemon=True)
            _thread.start()
    return asyncio.run_coroutine_threadsafe(coroutine, _loop)


def wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop of this process, and wait for its result.

    Raises:
        RuntimeError: called in that loop, which would wait for itself.
    """
    if threading.current_thread() is _thread:
        coroutine.close()
        raise RuntimeError("a coroutine of the shared loop waits for another one: await it instead")
    return submit(coroutine).result()


def _forget() -> None:
    global _loop, _thread, _starting
    _loop, _thread, _starting = None, None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
