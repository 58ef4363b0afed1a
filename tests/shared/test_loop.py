"""The one loop of a process: the same for every call, and a new one after a fork."""

import asyncio
import os
import select
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from examples.shared.loop import submit, wait_for


async def running() -> int:
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop())


def test_every_thread_is_served_by_the_same_loop() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: wait_for(running()), range(32)))) == 1


def test_a_result_may_be_awaited_in_another_loop() -> None:
    async def elsewhere() -> tuple[int, int]:
        return await asyncio.wrap_future(submit(running())), await running()

    ours, theirs = asyncio.run(elsewhere())
    assert ours == wait_for(running())
    assert ours != theirs


def test_what_the_coroutine_raises_is_raised() -> None:
    async def fails() -> None:
        raise KeyError("72")

    with pytest.raises(KeyError, match="72"):
        wait_for(fails())


def test_waiting_for_itself_is_an_error() -> None:
    async def waits() -> int:
        return wait_for(running())

    with pytest.raises(RuntimeError, match="await it instead"):
        wait_for(waits())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    wait_for(running())
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            wait_for(running())
            os.write(writer, threading.current_thread().name.encode())
        finally:
            os._exit(0)
    os.close(writer)
    if not select.select([reader], [], [], 30)[0]:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == "MainThread"
    os.waitpid(child, 0)
    wait_for(running())
