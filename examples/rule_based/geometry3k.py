r"""Reward Geometry3K answers: the whole answer, in a box, in brackets, or stated.

    >>> grade(r"By Pythagoras, [2\sqrt{221}]", r"2 \sqrt { 221 }").score
    1.0
    >>> grade("By Pythagoras, [221]", r"2 \sqrt { 221 }").score
    0.0

References are lengths, angles and areas: `28`, `2 \sqrt { 221 }`, `\frac { 5 } { 2 }`, `58.5`. Prompts for the data set
often ask for the answer in square brackets, which is a row of `forms.FORMS`. What is stated is compared by
`math_answer`: as a whole, never by its last number.

Needs what `math_answer` needs. Data: Lu et al. 2021, "Inter-GPS"; signature of `geometry3k_reward_fn`: AReaL 1.0.
"""

from numbers import Real
from typing import Any

from .math_answer import grade

__all__ = ["geometry3k_reward_fn", "grade"]


def geometry3k_reward_fn(
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
        answer: Geometry3K's column of that name.
        **kwargs: the data set's other columns, not used.

    Raises:
        Abstained: the reference is broken, or the verification failed.
    """
    reference = str(answer) if isinstance(answer, Real) else answer
    return grade(completions, reference).require_score()
