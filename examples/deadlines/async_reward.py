"""A reward function made awaitable, with a deadline: a drop-in for AReaL's wrapper.

The same constructor and the same call as `areal.api.AsyncRewardWrapper` of AReaL 1.0.4 (PyPI
package `areal`), so a workflow needs one changed import. What differs is what a failure
becomes:

| what happens | AReaL 1.0.4 | here |
|---|---|---|
| the deadline passes | four tries, then the score 0; the worker stays busy | `Abstained` once |
| the worker dies | four tries, then BrokenProcessPool | four tries, then `Abstained` |
| the function raises | four tries, then its exception | its exception at once |
| it raises TimeoutError | taken for the wrapper's: the score 0 | its exception at once |
| a column is missing | four tries, then TypeError | TypeError, before any worker |
| it returns NaN | NaN | `Abstained` with `bad_score` |
| calls wait for a worker | the wait is charged to the deadline | it is not |

AReaL drops the trajectory of a reward that raises.

Standard library only.
"""

import functools
import inspect
import math
import pickle
import sys
from collections.abc import Callable
from numbers import Real
from typing import Any

from ..shared.outcome import Abstained, Outcome, Reason
from .deadline_pool import DeadlinePool

__all__ = ["AsyncRewardWrapper"]

_LARGEST_PICKLE = 2**20  # bytes; it is sent with every call


class AsyncRewardWrapper:
    """Awaits a synchronous reward function that runs in a worker process.

        wrapper = AsyncRewardWrapper(my_reward_fn)
        score = await wrapper(prompt, completion, prompt_ids, completion_ids, **columns)

    All wrappers with the same `max_workers` and `timeout_seconds` share one pool, which
    lives as long as the process. `pool.report()` says what became of the calls.

    Args:
        reward_fn: a function at the top of a module; returns a number or an `Outcome`.
        timeout_seconds: one call's deadline; waiting for a worker is not charged.
        max_workers: processes at most; by default the CPUs this process may use.
        max_retries: further tries after a worker died. A passed deadline is not tried
            again, nor is what the function raised: both would come out the same.

    Raises:
        TypeError: the function cannot be called, is async, or cannot be sent to a
            worker; a number is none.
        ValueError: the function carries more than 1 MiB; a number is out of its range.
    """

    def __init__(
        self,
        reward_fn: Callable[..., Any],
        timeout_seconds: float = 15,
        max_workers: int | None = None,
        max_retries: int = 3,
    ) -> None:
        self._name = _check_reward_fn(reward_fn)
        if not isinstance(max_retries, int):
            raise TypeError(f"max_retries must be an int, not {max_retries!r}")
        if max_retries < 0:
            raise ValueError(f"max_retries must not be negative: {max_retries}")
        self.reward_fn = reward_fn
        self.timeout_seconds = timeout_seconds
        self.max_workers = max_workers
        self.max_retries = max_retries
        try:
            self._signature: inspect.Signature | None = inspect.signature(reward_fn)
        except ValueError:  # some functions written in C tell nothing
            self._signature = None
        _shared_pool(max_workers, timeout_seconds)  # refuses a bad number now

    @property
    def pool(self) -> DeadlinePool:
        """The pool that this wrapper shares with its equals."""
        return _shared_pool(self.max_workers, self.timeout_seconds)

    async def __call__(self, /, *args: Any, **columns: Any) -> float:
        """Return the score of one completion, a finite float.

        Raises:
            Abstained: no score was measured: `timed_out`, `worker_died`, `bad_score`
                for NaN or infinity, or as the function abstained.
            TypeError: the columns do not fit the function, or it returned no number.
            Exception: what the function raised.
        """
        if self._signature is not None:
            try:
                self._signature.bind(*args, **columns)
            except TypeError as error:
                raise TypeError(self._explain(error, len(args), columns)) from None
        for retries_left in reversed(range(self.max_retries + 1)):
            try:
                value = await self.pool.run(_call, self.reward_fn, args, columns)
            except Abstained as abstained:  # the pool's: the function's own is a value
                died = abstained.outcome.reason is Reason.WORKER_DIED
                if not died or not retries_left:
                    raise
            else:
                break
        return self._score(value)

    def _score(self, value: object) -> float:
        if isinstance(value, Outcome):
            return value.require_score()
        # NumPy's bool is no Real, and a scalar may come as an array or tensor without dimensions.
        if not isinstance(value, Real) and getattr(value, "ndim", None) != 0:
            raise TypeError(
                f"{self._name} must return a number or an Outcome, not {type(value).__name__}"
            )
        try:
            score = float(value)  # type: ignore[arg-type]
        except OverflowError:
            score = math.inf
        if not math.isfinite(score):
            raise Abstained(Outcome(None, Reason.BAD_SCORE, f"{self._name} returned {score}"))
        return score

    def _explain(self, error: TypeError, positional: int, columns: dict[str, Any]) -> str:
        """Say which column does not fit the function, and what to do about it."""
        parameters = self._signature.parameters if self._signature is not None else {}
        ordered = [p for p in parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
        by_position = {p.name for p in ordered[:positional]}
        by_keyword = {
            p.name: p.default is p.empty
            for p in parameters.values()
            if p.name not in by_position and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        problems = [
            f"column {name!r} bears the name of an argument given by position: rename the column"
            if name in by_position
            else f"column {name!r} is no parameter: rename it, drop it, or take **kwargs"
            for name in columns
            if name in by_position or not (takes_any or name in by_keyword)
        ]
        problems += [
            f"no column for the parameter {name!r}: rename a column, or give it a default"
            for name, required in by_keyword.items()
            if required and name not in columns
        ]
        return f"{self._name}: {'; '.join(problems) or error} (columns: {', '.join(columns)})"


@functools.cache
def _shared_pool(max_workers: int | None, timeout_seconds: float) -> DeadlinePool:
    return DeadlinePool(max_workers, timeout_seconds)


def _call(reward_fn: Callable[..., Any], args: tuple[Any, ...], columns: dict[str, Any]) -> Any:
    """What a worker runs: the function's own abstention is a value, which nobody tries again."""
    try:
        return reward_fn(*args, **columns)
    except Abstained as abstained:
        return abstained.outcome


def _check_reward_fn(reward_fn: Callable[..., Any]) -> str:
    """Refuse what a worker could not run, and return the function's name."""
    if not callable(reward_fn):
        raise TypeError(f"reward_fn must be a function, not {reward_fn!r}")
    function: Any = reward_fn
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if any(
        inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f)
        for f in (function, type(function).__call__)
    ):
        raise TypeError(f"{name} is async, and a worker runs plain functions: await it yourself")
    try:
        pickled = pickle.dumps(reward_fn)
    except Exception as error:
        raise TypeError(
            f"{name} cannot be sent to a worker: {error}; define it with def at the top of a module"
        ) from error
    if len(pickled) > _LARGEST_PICKLE:
        raise ValueError(
            f"{name} carries {len(pickled):,} bytes, which every call would send: load them in "
            "the worker, in a function under functools.cache"
        )
    main = sys.modules["__main__"]
    if b"__main__" in pickled and not (main.__spec__ or getattr(main, "__file__", None)):
        raise TypeError(
            f"{name} is defined in a notebook or a console, where a worker cannot import it: "
            "move it into a module"
        )
    return str(name)
