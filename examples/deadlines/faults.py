"""A reward function that misbehaves on demand, to show and test what your set-up does.

    >>> faulty_reward_fn("", "score 0.5", [], [])
    0.5

Hand it to your wrapper and send it the completions below, beside healthy ones: every healthy
one must still get its own score, and no fault may become a score.

| completion | what the function does |
|---|---|
| `score 0.5` | returns 0.5 |
| `int` | returns the int 1 |
| `nan` | returns NaN |
| `none` | returns None |
| `raise` | raises ValueError |
| `timeout` | raises a TimeoutError of its own |
| `abstain` | raises `Abstained` |
| `sleep 2 then score 1.0` | sleeps two seconds, then returns 1.0 |
| `hang` | computes 9**9**9: no signal handler of Python's runs, and no thread |
| `crash` | ends its process with exit code 1 |
| `kill` | ends its process with SIGKILL, as the kernel does when memory runs out |
| `hog` | takes memory until there is none: give it a process with a limit |

Standard library only.
"""

import math
import os
import signal
import time
from typing import Any

from ..shared.outcome import Abstained, Outcome, Reason

__all__ = ["faulty_reward_fn"]


def faulty_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    **kwargs: Any,
) -> float:
    """AReaL's reward signature; the completion says what goes wrong.

    Raises:
        ValueError: the completion is `raise`, or none of this module's list.
        Abstained, TimeoutError: the completion asks for it.
    """
    match completions.split():
        case ["score", score]:
            return float(score)
        case ["sleep", seconds, "then", "score", score]:
            time.sleep(float(seconds))
            return float(score)
        case ["int"]:
            return 1
        case ["nan"]:
            return math.nan
        case ["none"]:
            return None  # type: ignore[return-value]
        case ["raise"]:
            raise ValueError("as the completion says")
        case ["timeout"]:
            raise TimeoutError("the function's own")
        case ["abstain"]:
            detail = "as the completion says"
            raise Abstained(Outcome(None, Reason.BAD_REFERENCE, detail))
        case ["hang"]:
            nine = 9
            return float(nine**nine**nine)
        case ["crash"]:
            os._exit(1)
        case ["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["hog"]:
            held = []
            while True:
                held.append(b"\xff" * 2**24)
    raise ValueError(f"no such fault: {completions!r}")
