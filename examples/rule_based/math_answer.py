r"""Reward mathematical answers by rule: is the response's final answer equal to the reference?

    >>> grade(r"So the area is $\boxed{\frac{\sqrt{2}}{2}}$.", r"\frac{1}{\sqrt{2}}").score
    1.0
    >>> grade(r"The answer is $x = 3$ or $x = -2$.", "-2, 3").score
    1.0
    >>> grade(r"\boxed{9^{9^{9}}}", "18").reason
    <Reason.TOO_COMPLEX: 'too_complex'>

Numbers, fractions, roots, polynomials, functions, tuples, sets, intervals, matrices, equations, choices
and short texts, in LaTeX or in plain text; references in LaTeX, with dollar signs or without.

`answer` reads the response, `equality` compares. Units, degrees, currency and percent signs are ignored on both
sides, so 25\% equals 25 and not 0.25. Decimals are exact: 0.33 is not 1/3. Symbols are real numbers.

A response that would cost too much to verify is known from its text alone and scores 0.0, `too_complex`.

Needs math-verify (0.9). Signature of `math_answer_reward_fn`: AReaL 1.0.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from numbers import Real
from typing import Any

from ..shared.outcome import Outcome, Reason
from ..shared.text import plain
from .answer import Answer, as_text, find, is_placeholder, read_value
from .equality import compare
from .forms import FORMS, Form

__all__ = ["grade", "math_answer_reward_fn", "read_reference"]

_NO_ANSWER = Outcome(0.0, Reason.NO_ANSWER)
LONGEST_REFERENCE = 2000  # characters
MOST_WORDS = 2  # of a reference in words; what is longer is a sentence, and matches itself alone


def grade(response: str, reference: str, forms: Sequence[Form] = FORMS) -> Outcome:
    """Score 1.0 if the response's final answer equals the reference, in whatever form.

    Args:
        response: what the policy wrote; any string.
        reference: an answer, such as `2\\sqrt{221}`, `$[2, 5)$` or `\\text{(C)}`; or a
            worked solution that ends in `\\boxed{...}` or `#### ...`.
        forms: the ways to state an answer.

    Returns:
        `correct` (1.0); `wrong`, `no_answer` or `too_complex` (0.0); or an abstention:
        `bad_reference`, and, if the helper process fails, `timed_out` or `worker_died`.
    """
    gold = read_reference(reference) if isinstance(reference, str) else None
    if gold is None:
        return Outcome(None, Reason.BAD_REFERENCE, f"no answer in {str(reference)[-60:]!r}")
    answer = find(response, forms)
    outcome = _NO_ANSWER if answer is None else compare(answer, gold)
    if outcome.score == 0.0 and not _is_comparable(gold):
        return Outcome(
            None, Reason.BAD_REFERENCE, gold.too_complex or f"cannot read {gold.text[:40]!r}"
        )
    return outcome


def _is_comparable(gold: Answer) -> bool:
    """Whether a reference was read; a sentence, or what is too complex, matches itself alone."""
    words = re.findall(r"[A-Za-z]+|[\u4e00-\u9fff]{1,4}", gold.text)
    return gold.value is not None or (gold.in_words and len(words) <= MOST_WORDS)


@lru_cache(maxsize=4096)
def read_reference(reference: str) -> Answer | None:
    """Read a reference; None if it is empty, or says that there is no answer."""
    if "boxed" in reference or "####" in reference:
        return find(reference)
    text = plain(reference[: LONGEST_REFERENCE + 1])
    if len(text) > LONGEST_REFERENCE or is_placeholder(text):
        return None
    return read_value(text, sentence=True) or Answer(as_text(text), None)


def math_answer_reward_fn(
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
        answer: the column of that name, as in MATH-500.
        **kwargs: the data set's other columns, not used.

    Raises:
        Abstained: the reference is broken, or the verification failed. AReaL drops the
            trajectory instead of training on a made-up zero.
    """
    reference = str(answer) if isinstance(answer, Real) else answer
    return grade(completions, reference).require_score()
