r"""Reward GSM8K-style answers by rule: does the response state the reference's number?

    >>> grade("She sells 9 eggs a day, so she makes 9 * 2 = 18 dollars.\n#### 18", "#### 18").score
    1.0
    >>> grade("所以答案是七十二元。", "72").score
    1.0
    >>> grade("The answer is 17, 18 or 19.", "18").reason
    <Reason.NO_ANSWER: 'no_answer'>

The last number of a text is never taken for its answer: `answer` reads what the response states. Numbers are
exact and compared by value: 1,234 = 1234.0 = １２３４ = 一千二百三十四. Units and currency are ignored. So is a
percent sign (GSM8K's references carry none): 25% equals 25, not 0.25.

Standard library only; what is no plain number, such as \\sqrt{324}/\\sin 90^\\circ, is left to `math_answer`. Source of the
task and of `####`: Cobbe et al. 2021, "Training Verifiers to Solve Math Word Problems". Signature of
`gsm8k_reward_fn`: AReaL 1.0.
"""

from collections.abc import Sequence
from fractions import Fraction
from numbers import Real
from typing import Any

from ..shared.outcome import Outcome, Reason
from .answer import find
from .equality import compare
from .forms import FORMS, Form
from .math_answer import read_reference
from .trees import named

__all__ = ["extract_answer", "grade", "gsm8k_reward_fn"]

# Immutable, and most outcomes are one of these.
_CORRECT = Outcome(1.0, Reason.CORRECT)
_NO_ANSWER = Outcome(0.0, Reason.NO_ANSWER)


def grade(response: str, reference: str, forms: Sequence[Form] = FORMS) -> Outcome:
    """Score 1.0 if the response's final answer is the reference's number.

    Args:
        response: what the policy wrote; any string.
        reference: a number ("18", "1,234", "3/4"), or a worked solution that ends in
            "#### 18".
        forms: the ways to state an answer.

    Returns:
        `correct` (1.0), `wrong`, `no_answer` or `too_complex` (0.0); or the abstention
        `bad_reference`, when the reference is no string or holds no number.
    """
    gold = read_reference(reference) if isinstance(reference, str) else None
    expected = None if gold is None or gold.value is None else named(gold.value, liberal=False)
    if gold is None or not isinstance(expected, Fraction):
        detail = f"no number in the reference {str(reference)[-60:]!r}"
        return Outcome(None, Reason.BAD_REFERENCE, detail)
    answer = find(response, forms)
    if answer is None:
        return _NO_ANSWER
    if answer.text == gold.text:
        return _CORRECT
    number = answer.number
    if number is None or expected is not gold.value:  # an expression, a list, a text; or x = 18
        outcome = compare(answer, gold)
        return _NO_ANSWER if number is None and outcome.reason is Reason.WRONG else outcome
    if number != expected:
        return Outcome(0.0, Reason.WRONG, f"{_short(number)} is not {_short(expected)}")
    return _CORRECT


def extract_answer(response: str) -> str | None:
    """Return the final answer as a plain number ("72"; -2.5 is "-5/2"), or None."""
    answer = find(response)
    return None if answer is None or answer.number is None else str(answer.number)


def gsm8k_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | Real,
    **kwargs: Any,
) -> float:
    """AReaL's reward signature: one completion in, one float out.

    Args:
        prompt, prompt_ids, completion_ids: not used; AReaL passes them.
        completions: the text of one completion, in spite of the plural.
        answer: GSM8K's column of that name.
        **kwargs: the data set's other columns, not used.

    Raises:
        Abstained: the reference is broken. AReaL drops the trajectory instead of training
            on a made-up zero.
    """
    reference = str(answer) if isinstance(answer, Real) else answer
    return grade(completions, reference).require_score()


def _short(value: Fraction) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."
