r"""Reward multiple choice by rule: does the response choose the reference's letter, or all of its letters?

    >>> grade("本题选AD。", "AD").score, grade("The answer is (C) the enzyme is inhibited.", "C").score
    (1.0, 1.0)
    >>> grade("It is B or C. The answer is the enzyme.", "C", ["the cell", "the gene", "the enzyme"]).score
    1.0
    >>> grade("The answer is B or C.", "C").reason
    <Reason.WRONG: 'wrong'>

Letters are A to J, upper or lower case, in brackets or not, with the text of the option behind it or without. Several
letters are a set: AD, "A, D" and "D and A" are one answer, and none of them is A. `answer` reads the response.

Standard library only. Signature of `choice_reward_fn`: AReaL 1.0.
"""

from collections.abc import Sequence
from typing import Any

from ..shared.outcome import Outcome, Reason
from ..shared.text import folded
from .answer import Answer, as_text, find
from .equality import letters
from .forms import FORMS, Form
from .math_answer import read_reference

__all__ = ["choice_reward_fn", "grade"]


def grade(
    response: str,
    reference: str,
    options: Sequence[str] | None = None,
    forms: Sequence[Form] = FORMS,
) -> Outcome:
    """Score 1.0 if the response chooses the letters of the reference, all of them and no other.

    Args:
        response: what the policy wrote; any string.
        reference: letters ("C", "(C)", "AD"), or the text of an option where `options` are given.
        options: the texts of A, B, C, ...; an answer that is one of them, word for word, chooses it.
        forms: the ways to state an answer.

    Returns:
        `correct` (1.0), `wrong` or `no_answer` (0.0); or the abstention `bad_reference`, when the
        reference is no string, or names no option.
    """
    gold = read_reference(reference) if isinstance(reference, str) else None
    expected = _chosen(gold, options) if gold else ""
    if not expected or (options and ord(expected[-1]) - ord("A") >= len(options)):
        detail = f"no option in the reference {str(reference)[-60:]!r}"
        return Outcome(None, Reason.BAD_REFERENCE, detail)
    answer = find(response, forms)
    if answer is None:
        return Outcome(0.0, Reason.NO_ANSWER)
    chosen = _chosen(answer, options)
    if chosen == expected:
        return Outcome(1.0, Reason.CORRECT)
    return Outcome(0.0, Reason.WRONG, f"{chosen or as_text(answer.text)[:40]!r} is not {expected}")


def choice_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str,
    options: Sequence[str] | None = None,
    **kwargs: Any,
) -> float:
    """AReaL's reward signature: one completion in, one float out.

    Args:
        prompt, prompt_ids, completion_ids: not used; AReaL passes them.
        completions: the text of one completion, in spite of the plural.
        answer, options: the data set's columns of these names.
        **kwargs: its other columns, not used.

    Raises:
        Abstained: the reference is broken.
    """
    return grade(completions, answer, options).require_score()


def _chosen(answer: Answer, options: Sequence[str] | None) -> str:
    if not options:
        return letters(answer)
    text = folded(as_text(answer.text))
    same = [
        chr(ord("A") + i) for i, option in enumerate(options) if folded(as_text(option)) == text
    ]
    return same[0] if len(same) == 1 else letters(answer)
