"""A grader that takes its arguments from the columns of a data set: what the adapters share.

    >>> from ..shared.outcome import Reason
    >>> def grade(response: str, reference: str) -> Outcome:
    ...     right = response == reference
    ...     return Outcome(float(right), Reason.CORRECT if right else Reason.WRONG)
    >>> grader = ColumnGrader(grade, reference="answer")
    >>> grader("72", {"question": "8 * 9?", "answer": "72"}).score
    1.0
    >>> grader.check_rows([{"question": "8 * 9?", "solution": "72"}])
    Traceback (most recent call last):
    LookupError: row 0: no column 'answer' (columns: question, solution): grade reads its reference there; name the column in reference=

An abstention is logged as a warning, reason first, whatever the framework makes of it.

Standard library only.
"""

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ..shared.loop import wait_for
from ..shared.outcome import Abstained, Outcome

__all__ = ["ColumnGrader", "Grade", "batch_rows"]

logger = logging.getLogger(__name__)

Grade = Callable[..., Outcome | Awaitable[Outcome]]
"""`grade(response, reference)` or `grade(question, response, reference)`, sync or async.

`reference` and `question` may be left out: a reward model has no reference.
"""


class ColumnGrader:
    """Binds the parameters of a grader to columns.

    A parameter with a default is read from its column where the data set has that column, and
    keeps its default where it has none; `check_rows` warns of that.

    Args:
        grade: has a parameter `response`, and may have `reference` and `question`. Returns
            an `Outcome`, or an awaitable of one; may raise `Abstained`.
        reference: the column with the reference answer, a string or a list of strings.
        question: the column with the question alone, without the policy's template.

    Raises:
        TypeError: `grade` is no function, takes no `response`, or needs a parameter that
            no column is named for.
        ValueError: both parameters would read the same column.
    """

    def __init__(self, grade: Grade, reference: str = "answer", question: str = "question") -> None:
        if not callable(grade):
            raise TypeError(f"grade must be a function, not {grade!r}")
        self.grade = grade
        self.name = _name(grade)
        self.is_async = _is_async(grade)
        parameters = inspect.signature(grade).parameters
        by_position = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_ONLY]
        if "response" not in parameters or by_position:
            raise TypeError(
                f"{self.name} must have a parameter named response, and take it by that name: "
                "wrap it in a function that does"
            )
        named = {"reference": reference, "question": question}
        for name, parameter in parameters.items():
            variable = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if name not in ("response", *named) and parameter.default is parameter.empty:
                if not variable:
                    raise TypeError(
                        f"{self.name} needs {name!r}, which no column is named for: "
                        "give it a value with functools.partial"
                    )
        bound = _bound(grade)
        self.columns = {
            name: column
            for name, column in named.items()
            if name in parameters and name not in bound
        }
        self.needed = [
            column
            for name, column in self.columns.items()
            if parameters[name].default is inspect.Parameter.empty
        ]
        if len(set(self.columns.values())) < len(self.columns):
            raise ValueError(f"reference and question are the same column: {reference!r}")

    def __call__(self, response: str, row: Mapping[str, Any]) -> Outcome:
        """Grade one response. An async grader runs in this process's loop for graders.

        Raises:
            LookupError: a column is missing.
            TypeError: the response or a column is of the wrong type, or the grader returned
                no `Outcome`.
            Exception: what the grader raised, but for `Abstained`.
        """
        arguments = self._arguments(response, row)
        try:
            outcome = self.grade(**arguments)
            if inspect.isawaitable(outcome):
                outcome = wait_for(_awaited(outcome))
        except Abstained as abstained:
            outcome = abstained.outcome
        return self._checked(outcome)

    async def run(self, response: str, row: Mapping[str, Any]) -> Outcome:
        """The same, awaited. A synchronous grader runs in a thread, so the loop goes on."""
        arguments = self._arguments(response, row)
        try:
            if self.is_async:
                outcome = self.grade(**arguments)
            else:
                outcome = await asyncio.to_thread(self._call, arguments)
            if inspect.isawaitable(outcome):
                outcome = await outcome
        except Abstained as abstained:
            outcome = abstained.outcome
        return self._checked(outcome)

    def grade_batch(
        self, responses: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> list[Outcome]:
        """Grade B responses: an async grader all at once, a synchronous one in turn."""
        if self.is_async:
            return wait_for(self.run_batch(responses, rows))
        return [self(response, row) for response, row in zip(responses, rows, strict=True)]

    async def run_batch(
        self, responses: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> list[Outcome]:
        """Grade B responses at once, awaited."""
        pairs = zip(responses, rows, strict=True)
        return await asyncio.gather(*(self.run(response, row) for response, row in pairs))

    def _call(self, arguments: dict[str, Any]) -> Any:
        try:
            return self.grade(**arguments)
        except StopIteration as error:  # a future cannot hold one, and would wait for ever
            raise RuntimeError(f"{self.name} raised StopIteration") from error

    def check_rows(self, rows: Iterable[Mapping[str, Any]], reserved: Collection[str] = ()) -> None:
        """Read every row as the grader will, before training starts.

        Args:
            rows: the data set; a Hugging Face `Dataset` is one.
            reserved: names that the framework gives to arguments of its own.

        Raises:
            LookupError: there is no row, or a row lacks a column; for a parameter with a default,
                a column that other rows have.
            TypeError: a column is of the wrong type.
            ValueError: a column has a reserved name.
        """
        number = -1
        first: set[str] = set()
        for number, row in enumerate(rows):
            if taken := sorted(set(row) & set(reserved)):
                raise ValueError(
                    f"row {number}: the framework itself uses the name {taken[0]!r}: "
                    "rename the column"
                )
            try:
                given = set(self._arguments("", row))
            except (LookupError, TypeError) as error:
                raise type(error)(f"row {number}: {error}") from None
            first = first or given
            if given != first:
                parameter = min(given ^ first)
                raise LookupError(
                    f"row {number}: some rows have a column {self.columns[parameter]!r} and some "
                    f"have none, so that {self.name} would keep the default of its {parameter} in "
                    "some: give it to all, or rename it"
                )
        if number < 0:
            raise LookupError("the data set has no rows")
        for parameter, column in self.columns.items():
            if parameter not in first:
                logger.warning(
                    "no column %r: %s keeps the default of its %s", column, self.name, parameter
                )

    def _arguments(self, response: str, row: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(response, str):
            raise TypeError(f"the response must be a str, not {type(response).__name__}")
        arguments: dict[str, Any] = {"response": response}
        for parameter, column in self.columns.items():
            if column not in row:
                if column not in self.needed:
                    continue
                raise LookupError(
                    f"no column {column!r} (columns: {', '.join(map(str, row))}): {self.name} "
                    f"reads its {parameter} there; name the column in {parameter}="
                )
            value = row[column]
            texts = (
                value if parameter == "reference" and isinstance(value, list | tuple) else [value]
            )
            if not texts or not all(isinstance(text, str) for text in texts):
                raise TypeError(
                    f"column {column!r} holds {type(value).__name__} {value!r:.60}: {self.name} "
                    f"reads its {parameter} there, as a str; convert the column"
                )
            arguments[parameter] = value
        return arguments

    def _checked(self, outcome: object) -> Outcome:
        if not isinstance(outcome, Outcome):
            raise TypeError(f"{self.name} must return an Outcome, not {type(outcome).__name__}")
        if outcome.score is None:
            logger.warning("%s: %s abstained: %s", outcome.reason, self.name, outcome.detail)
        return outcome


def batch_rows(columns: Mapping[str, Any], size: int) -> list[dict[str, Any]]:
    """Turn a batch's columns into its rows; what is no list of its size is the framework's own."""
    lists = {k: v for k, v in columns.items() if isinstance(v, list) and len(v) == size}
    return [{name: values[i] for name, values in lists.items()} for i in range(size)]


def _name(function: object) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _bound(function: object) -> set[str]:
    """The arguments that partials have given already."""
    names: set[str] = set()
    while isinstance(function, functools.partial):
        names |= function.keywords.keys()
        function = function.func
    return names


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async
    )


# --- Async graders for frameworks that call synchronously ---------------------------------------


async def _awaited(outcome: Awaitable[Outcome]) -> Outcome:
    return await outcome
