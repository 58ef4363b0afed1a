"""Any grader, given its arguments from columns: what it accepts, refuses and never makes up."""

import asyncio
import functools
import inspect
import logging
import multiprocessing
import pickle
import subprocess
import sys
import threading
from collections.abc import Awaitable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from examples.rule_based import gsm8k
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.column_grader import ColumnGrader

RIGHT, WRONG = Outcome(1.0, Reason.CORRECT), Outcome(0.0, Reason.WRONG)
DOWN = Outcome(None, Reason.JUDGE_UNREACHABLE, "no route")


def grade(response: str, reference: str) -> Outcome:
    return RIGHT if response == reference else WRONG


async def grade_async(response: str, reference: str) -> Outcome:
    await asyncio.sleep(0)
    return grade(response, reference)


def hands_back_a_coroutine(response: str, reference: str) -> Awaitable[Outcome]:
    return grade_async(response, reference)


@functools.wraps(grade_async)
def counted(*args: Any, **kwargs: Any) -> Awaitable[Outcome]:
    return grade_async(*args, **kwargs)


class Judge:
    """Graders as methods and as objects."""

    def grade(self, response: str, reference: str) -> Outcome:
        return grade(response, reference)

    async def grade_async(self, response: str, reference: str) -> Outcome:
        return await grade_async(response, reference)

    async def __call__(self, response: str, reference: str) -> Outcome:
        return await grade_async(response, reference)


class Rules:
    def __call__(self, response: str, reference: str) -> Outcome:
        return grade(response, reference)


def strict(response: str, reference: str, tolerance: float) -> Outcome:
    return grade(response, reference)


async def strict_async(response: str, reference: str, *, tolerance: float) -> Outcome:
    return await grade_async(response, reference)


GRADERS: dict[str, tuple[Any, bool]] = {
    "function": (grade, False),
    "async function": (grade_async, True),
    "function that returns a coroutine": (hands_back_a_coroutine, False),
    "wrapped async function": (counted, False),
    "bound method": (Judge().grade, False),
    "async bound method": (Judge().grade_async, True),
    "object": (Rules(), False),
    "object with an async call": (Judge(), True),
    "partial": (functools.partial(strict, tolerance=0.1), False),
    "partial of an async function": (functools.partial(strict_async, tolerance=0.1), True),
    "partial of a partial": (functools.partial(functools.partial(strict, tolerance=1)), False),
    "partial of an object with an async call": (functools.partial(Judge()), True),
    "lambda": (lambda response, reference: grade(response, reference), False),
}
ANY = pytest.mark.parametrize(("grader", "is_async"), GRADERS.values(), ids=GRADERS.keys())


def both(grader: ColumnGrader, response: str, row: Mapping[str, Any]) -> Outcome:
    """Grade synchronously and in a loop: the outcomes are the same."""
    outcome = grader(response, row)
    assert asyncio.run(grader.run(response, row)) == outcome
    return outcome


def raises_both(
    grader: ColumnGrader, error: type[Exception], match: str, row: Mapping[str, Any] | None = None
) -> None:
    row = {"answer": "72"} if row is None else row
    with pytest.raises(error, match=match):
        grader("72", row)
    with pytest.raises(error, match=match):
        asyncio.run(grader.run("72", row))


# --- Kinds of graders ----------------------------------------------------------------------------


@ANY
def test_a_grader_of_any_kind_is_called_either_way(grader: Any, is_async: bool) -> None:
    bound = ColumnGrader(grader)
    assert bound.is_async is is_async
    assert both(bound, "72", {"answer": "72"}) is RIGHT
    assert both(bound, "71", {"answer": "72"}) is WRONG


@pytest.mark.parametrize(
    ("grader", "name"),
    [
        (grade, "grade"),
        (Judge().grade_async, "grade_async"),
        (functools.partial(strict, tolerance=1), "strict"),
        (counted, "grade_async"),
        (Rules(), "Rules"),
    ],
)
def test_a_grader_has_a_name_for_metrics(grader: Any, name: str) -> None:
    assert ColumnGrader(grader).name == name


def test_a_grader_of_the_book_reads_lists_of_references_or_one() -> None:
    grader = ColumnGrader(gsm8k.grade, reference="solution")
    assert grader("#### 72", {"solution": "8 * 9 = 72\n#### 72"}) == RIGHT

    def any_of(response: str, reference: list[str]) -> Outcome:
        return RIGHT if response in reference else WRONG

    for references in (["72", "72.0"], ("72", "72.0")):
        assert both(ColumnGrader(any_of), "72.0", {"answer": references}) is RIGHT


def test_each_parameter_gets_its_own_column() -> None:
    seen: list[tuple[str, ...]] = []

    def asks(question: str, response: str, reference: str) -> Outcome:
        seen.append((question, response, reference))
        return RIGHT

    row = {"problem": "8 * 9?", "solution": "72", "question": "no", "answer": "no"}
    both(ColumnGrader(asks, reference="solution", question="problem"), "it is 72", row)
    assert seen == [("8 * 9?", "it is 72", "72")] * 2


@pytest.mark.parametrize("column", ["reference", "response", "the answer", "答案", "", "grade", 3])
def test_a_column_may_have_any_name(column: Any) -> None:
    grader = ColumnGrader(grade, reference=column)
    grader.check_rows([{column: "72"}])
    assert both(grader, "72", {column: "72"}) is RIGHT


def test_a_grader_without_reference_needs_no_column() -> None:
    def brief(response: str) -> Outcome:
        return Outcome(float(len(response) < 10), Reason.SCORED)

    grader = ColumnGrader(brief, reference="same", question="same")
    grader.check_rows([{}])
    assert both(grader, "72", {}).score == 1.0


# --- What is refused when it is made -------------------------------------------------------------


@pytest.mark.parametrize(
    ("grader", "message"),
    [
        ("examples.rule_based.gsm8k:grade", "must be a function, not 'examples"),
        (None, "must be a function"),
        (lambda completion, reference: RIGHT, "must have a parameter named response"),
        (lambda *args, **kwargs: RIGHT, "must have a parameter named response"),
        (strict, "strict needs 'tolerance', which no column is named for: .*functools.partial"),
        (lambda response, *, judge: RIGHT, "needs 'judge'"),
    ],
)
def test_what_cannot_be_called_is_refused(grader: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ColumnGrader(grader)


def test_two_parameters_do_not_read_one_column() -> None:
    def asks(question: str, response: str, reference: str) -> Outcome:
        return RIGHT

    with pytest.raises(ValueError, match="the same column: 'text'"):
        ColumnGrader(asks, reference="text", question="text")


# --- Columns of the wrong kind -------------------------------------------------------------------

VALUES = [72, 72.0, None, True, [], (), [72], ["72", None], {"value": "72"}, b"72"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_column_of_the_wrong_type_is_an_error_that_names_it(value: Any) -> None:
    grader = ColumnGrader(grade)
    message = f"column 'answer' holds {type(value).__name__} .*convert the column"
    raises_both(grader, TypeError, message, {"answer": value})
    with pytest.raises(TypeError, match=f"row 1: {message}"):
        grader.check_rows([{"answer": "72"}, {"answer": value}])


def test_a_question_is_one_string() -> None:
    grader = ColumnGrader(lambda question, response: RIGHT)
    with pytest.raises(TypeError, match="'question' holds list"):
        grader.check_rows([{"question": ["8 * 9?"]}])


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(TypeError) as caught:
        ColumnGrader(grade)("72", {"answer": [0] * 10_000})
    assert len(str(caught.value)) < 250


def test_a_missing_column_is_an_error_that_lists_those_there_are() -> None:
    grader = ColumnGrader(grade, reference="solution")
    message = r"no column 'solution' \(columns: q, answer\): grade reads its reference there"
    raises_both(grader, LookupError, message, {"q": "8 * 9?", "answer": "72"})
    with pytest.raises(LookupError, match=f"row 1: {message}"):
        grader.check_rows([{"solution": "72"}, {"q": "8 * 9?", "answer": "72"}])


@pytest.mark.parametrize("response", [None, 72, ["72"], {"content": "72"}, b"72"], ids=repr)
def test_a_response_is_a_string(response: Any) -> None:
    grader = ColumnGrader(grade)
    with pytest.raises(TypeError, match="response must be a str, not"):
        grader(response, {"answer": "72"})
    with pytest.raises(TypeError, match="response must be a str, not"):
        asyncio.run(grader.run(response, {"answer": "72"}))


# --- Checking a data set -------------------------------------------------------------------------


def test_every_row_is_checked_and_nothing_is_graded() -> None:
    def explodes(response: str, reference: str) -> Outcome:
        raise AssertionError

    rows = [{"answer": str(number)} for number in range(1000)]
    ColumnGrader(explodes).check_rows(rows)
    with pytest.raises(LookupError, match="row 1000"):
        ColumnGrader(explodes).check_rows([*rows, {}])


def test_rows_may_be_a_generator_or_a_data_set() -> None:
    def rows() -> Iterator[dict[str, str]]:
        yield from ({"question": "8 * 9?", "answer": "72"} for _ in range(3))

    grader = ColumnGrader(grade)
    grader.check_rows(rows())
    grader.check_rows(Dataset.from_list(list(rows())))
    grader.check_rows(Dataset.from_list(list(rows())).to_iterable_dataset())
    with pytest.raises(TypeError, match="row 0: column 'answer' holds int 72"):
        grader.check_rows(Dataset.from_dict({"answer": [72, 73]}))
    with pytest.raises(TypeError, match="row 1: column 'answer' holds NoneType"):
        grader.check_rows(Dataset.from_list([{"answer": "72"}, {"question": "8 * 9?"}]))


@pytest.mark.parametrize("rows", [[], iter(()), Dataset.from_dict({"answer": []})])
def test_a_data_set_without_rows_is_an_error(rows: Any) -> None:
    with pytest.raises(LookupError, match="no rows"):
        ColumnGrader(grade).check_rows(rows)


def test_a_reserved_column_is_an_error() -> None:
    rows = [{"answer": "72"}, {"answer": "72", "prompts": "8 * 9?", "completions": ""}]
    with pytest.raises(ValueError, match=r"row 1: .* the name 'completions'"):
        ColumnGrader(grade).check_rows(rows, reserved=("prompts", "completions"))


# --- Abstentions ---------------------------------------------------------------------------------


def abstains(response: str) -> Outcome:
    return DOWN


async def abstains_async(response: str) -> Outcome:
    return DOWN


def raises_abstained(response: str) -> Outcome:
    raise Abstained(DOWN)


async def raises_abstained_async(response: str) -> Outcome:
    raise Abstained(DOWN)


@pytest.mark.parametrize(
    "grader", [abstains, abstains_async, raises_abstained, raises_abstained_async]
)
def test_an_abstention_stays_one_and_is_logged_once_a_call(
    grader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert both(ColumnGrader(grader), "72", {}) is DOWN
    expected = f"judge_unreachable: {grader.__name__} abstained: no route"
    assert [record.getMessage() for record in caplog.records] == [expected] * 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_a_score_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    both(ColumnGrader(grade), "71", {"answer": "72"})
    assert caplog.records == []


# --- Errors --------------------------------------------------------------------------------------


def is_broken(response: str) -> Outcome:
    raise ZeroDivisionError("a bug")


async def is_broken_async(response: str) -> Outcome:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("grader", [is_broken, is_broken_async])
def test_what_a_grader_raises_comes_through(grader: Any) -> None:
    raises_both(ColumnGrader(grader), ZeroDivisionError, "a bug")


@pytest.mark.parametrize("value", [1.0, None, True, (1.0, "correct"), {"score": 1.0}], ids=repr)
def test_a_grader_that_returns_no_outcome_is_an_error(value: Any) -> None:
    def returns(response: str) -> Any:
        return value

    async def returns_async(response: str) -> Any:
        return value

    message = f"must return an Outcome, not {type(value).__name__}"
    raises_both(ColumnGrader(returns), TypeError, f"returns {message}")
    raises_both(ColumnGrader(returns_async), TypeError, f"returns_async {message}")


# --- Loops, threads and processes ----------------------------------------------------------------


async def where(response: str) -> Outcome:
    thread, loop = threading.current_thread().name, id(asyncio.get_running_loop())
    return Outcome(1.0, Reason.SCORED, f"{thread} {loop}")


def test_async_graders_all_run_in_one_loop_whatever_thread_calls() -> None:
    """A client's connections belong to one loop."""
    first, second = ColumnGrader(where), ColumnGrader(where)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda g: g("", {}), [first, second] * 20))
    assert len({outcome.detail for outcome in outcomes}) == 1
    assert outcomes[0].detail.startswith("shared loop ")


def test_async_graders_of_several_threads_run_together() -> None:
    barrier = asyncio.Barrier(4)

    async def meets(response: str) -> Outcome:
        await asyncio.wait_for(barrier.wait(), 30)
        return RIGHT

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: ColumnGrader(meets)("", {}), range(4))) == [RIGHT] * 4


def test_a_framework_whose_loop_runs_may_call_synchronously() -> None:
    async def framework() -> Outcome:
        return ColumnGrader(grade_async)("72", {"answer": "72"})

    assert asyncio.run(framework()) is RIGHT


def test_a_synchronous_grader_does_not_hold_up_the_loop() -> None:
    go_on = threading.Event()

    def waits(response: str) -> Outcome:
        return RIGHT if go_on.wait(30) else WRONG

    async def main() -> Outcome:
        graded = asyncio.create_task(ColumnGrader(waits).run("", {}))
        await asyncio.sleep(0.01)
        go_on.set()
        return await graded

    assert asyncio.run(main()) is RIGHT


def test_an_async_grader_runs_in_the_loop_that_awaits_it() -> None:
    outcome = asyncio.run(ColumnGrader(where).run("", {}))
    assert outcome.detail.startswith("MainThread ")


def test_the_loop_outlives_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        ColumnGrader(is_broken_async)("", {})
    assert ColumnGrader(grade_async)("72", {"answer": "72"}) is RIGHT


@pytest.mark.parametrize(
    "grader", [grade, grade_async, functools.partial(strict, tolerance=1), Judge(), gsm8k.grade]
)
def test_a_bound_grader_can_be_sent_to_another_process(grader: Any) -> None:
    ColumnGrader(grade_async)("72", {"answer": "72"})  # there is a loop: it must not be sent
    sent = pickle.loads(pickle.dumps(ColumnGrader(grader, reference="solution")))
    assert sent("72", {"solution": "72"}) == RIGHT


def test_a_spawned_process_can_grade() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        bound = ColumnGrader(gsm8k.grade)
        assert pool.apply(bound, ("#### 72", {"answer": "#### 72"})) == RIGHT


# --- The four laws -------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_what_the_policy_wrote_is_data(response: str, reference: str) -> None:
    """It reaches the grader as it is: nothing is formatted, stripped or evaluated."""
    seen: list[str] = []

    def looks(response: str, reference: str) -> Outcome:
        seen.extend((response, reference))
        return RIGHT

    ColumnGrader(looks)(response, {"answer": reference})
    assert seen == [response, reference]


def test_a_score_does_not_depend_on_load_or_order() -> None:
    grader = ColumnGrader(grade_async)
    rows = [(str(i % 7), {"answer": str(i % 5)}) for i in range(200)]
    alone = [grader(*row) for row in rows]

    async def together() -> list[Outcome]:
        return await asyncio.gather(*(grader.run(*row) for row in rows))

    assert asyncio.run(together()) == alone
    assert [grader(*row) for row in reversed(rows)] == alone[::-1]


def test_the_grader_is_called_by_name_so_the_order_of_its_parameters_does_not_matter() -> None:
    def turned(reference: str, response: str) -> Outcome:
        return Outcome(float(response == "a" and reference == "b"), Reason.SCORED)

    assert inspect.signature(turned).parameters.keys() == {"reference", "response"}
    assert ColumnGrader(turned)("a", {"answer": "b"}).score == 1.0


def test_a_row_is_not_changed() -> None:
    row = {"answer": ["72"], "other": 1}
    ColumnGrader(lambda response, reference: RIGHT)("72", row)
    assert row == {"answer": ["72"], "other": 1}


def test_optional_parameters_of_a_grader_keep_their_defaults() -> None:
    def lenient(response: str, reference: str, tolerance: float = 0.5) -> Outcome:
        return Outcome(tolerance, Reason.SCORED)

    row = {"answer": "72", "tolerance": 9.0}
    assert both(ColumnGrader(lenient), "72", row).score == 0.5


@pytest.mark.parametrize("grader", [grade, grade_async])
def test_no_grader_is_called_with_a_row_that_does_not_fit(grader: Any) -> None:
    calls: list[Any] = []

    @functools.wraps(grader)
    def watched(*args: Any, **kwargs: Any) -> Any:
        calls.append(kwargs)
        return grader(*args, **kwargs)

    raises_both(ColumnGrader(watched), LookupError, "no column", {})
    assert calls == []


# --- Parameters with a default -------------------------------------------------------------------


def with_default(response: str, reference: str, question: str = "none") -> Outcome:
    return Outcome(1.0, Reason.SCORED, f"{question}|{response}|{reference}")


async def with_default_async(response: str, reference: str, *, question: str = "none") -> Outcome:
    return with_default(response, reference, question)


def all_defaults(response: str, reference: str = "", question: str = "none") -> Outcome:
    return with_default(response, reference, question)


@pytest.mark.parametrize("grader", [with_default, with_default_async, all_defaults])
def test_a_parameter_with_a_default_reads_its_column_where_there_is_one(
    grader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bound = ColumnGrader(grader)
    bound.check_rows([{"answer": "72", "question": "8 * 9?"}] * 2)
    assert not caplog.records
    assert both(bound, "x", {"answer": "72", "question": "8 * 9?"}).detail == "8 * 9?|x|72"
    bound.check_rows([{"answer": "72", "q": "8 * 9?"}] * 2)
    (message,) = caplog.messages  # a column that is misspelt is not left out in silence
    assert message.startswith("no column 'question': ")
    assert message.endswith(" keeps the default of its question")
    assert both(bound, "x", {"answer": "72"}).detail == "none|x|72"


def test_a_parameter_without_a_default_still_needs_its_column() -> None:
    for row in ({"question": "8 * 9?"}, {}):
        raises_both(ColumnGrader(with_default), LookupError, "reads its reference there", row)
    assert both(ColumnGrader(all_defaults), "x", {}).detail == "none|x|"


def test_a_column_is_in_every_row_or_in_none() -> None:
    rows = [{"answer": "72"}] * 3 + [{"answer": "72", "question": "8 * 9?"}]
    message = "some rows have a column 'question' and some have none.* of its question in some"
    with pytest.raises(LookupError, match=f"row 3: {message}"):
        ColumnGrader(with_default).check_rows(rows)
    with pytest.raises(LookupError, match=f"row 1: {message}"):
        ColumnGrader(with_default).check_rows(rows[::-1])


def test_a_column_for_a_default_has_to_be_of_the_right_type() -> None:
    with pytest.raises(TypeError, match="row 0: column 'question' holds NoneType"):
        ColumnGrader(with_default).check_rows([{"answer": "72", "question": None}])


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def g(response): return next(iter([]))\nimport asyncio\n"
            "asyncio.run(ColumnGrader(g).run('', {}))",
            "g raised StopIteration",
        ),
        (
            "async def judge(response): pass\n"
            "async def both(response): return ColumnGrader(judge)(response, {})\n"
            "ColumnGrader(both)('', {})",
            "a coroutine of the shared loop waits for another one",
        ),
    ],
)
def test_what_would_wait_for_ever_is_an_error(code: str, message: str) -> None:
    program = "from examples.training.column_grader import ColumnGrader\n" + code
    result = subprocess.run(
        [sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False
    )
    assert f"RuntimeError: {message}" in result.stderr


def test_what_a_partial_has_given_is_not_replaced_by_a_column() -> None:
    grader = ColumnGrader(functools.partial(gsm8k.grade, reference="#### 72"))
    assert grader("72", {"answer": "9"}).score == 1.0


def test_a_response_that_is_taken_by_position_only_is_refused() -> None:
    def by_position(response: str, /, reference: str) -> Outcome:
        raise AssertionError

    with pytest.raises(TypeError, match="by that name"):
        ColumnGrader(by_position)


@pytest.mark.parametrize("grade_one", [gsm8k.grade, functools.partial(gsm8k.grade)])
def test_a_batch_is_graded_in_order_and_like_one_by_one(grade_one: Any) -> None:
    responses, rows = ["#### 1", "#### 3", "#### 3"], [{"answer": f"#### {n}"} for n in (1, 2, 3)]

    async def later(response: str, reference: str) -> Outcome:
        await asyncio.sleep(0.01 if reference == "#### 1" else 0)
        return gsm8k.grade(response, reference)

    for grader in (ColumnGrader(grade_one), ColumnGrader(later)):
        expected = [grader(response, row) for response, row in zip(responses, rows, strict=True)]
        assert [outcome.score for outcome in expected] == [1.0, 0.0, 1.0]
        assert grader.grade_batch(responses, rows) == expected
        assert asyncio.run(grader.run_batch(responses, rows)) == expected
        with pytest.raises(ValueError, match="argument"):
            grader.grade_batch(responses, rows[:2])
