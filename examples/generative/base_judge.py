"""What every judge shares: rules first, then the model; batches with canaries; counts.

`BaseJudge` leaves one thing open, how the model is asked. `deep_research_judge.Judge` asks a
server, `local_judge.LocalJudge` a model in this process.

Needs tqdm, for the progress of a batch.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tqdm import tqdm

from ..shared.outcome import Abstained, Outcome, Reason
from .canaries import Canary, CanaryFailure, make_canaries, make_decoys
from .prompts import ENGLISH, Prompt
from .rules import decide, final_answer

__all__ = ["BaseJudge", "Item", "Reply"]


class Item(NamedTuple):
    """One response to grade; `reference` is one answer or several that are all right."""

    question: str
    response: str
    reference: str | Sequence[str]


@dataclass(frozen=True)
class Reply:
    """A verdict of the model; `confidence` from 0 to 1, None where it is not known."""

    verdict: bool
    confidence: float | None = None


class BaseJudge(ABC):
    """Grades open answers against references: rules decide what they can, a model the rest.

    Args:
        prompt: `prompts.ENGLISH`, `prompts.CHINESE`, or your own.
        max_characters: of the final answer; a longer one is `too_complex` and scores 0.0. It is
            also the limit for a question and its references. Nothing is ever cut.
        min_confidence: from 0 to 1; a verdict below it abstains with `judge_unsure`.
        rules: accept by rule what needs no model; without, every answer is asked. What answers
            nothing scores 0.0 either way.
        decoys: what the model accepts, it is asked again with so many wrong references in place
            of the right ones; accepted there too, it abstains with `judge_unsure`.

    Attributes:
        counts: how many responses had each outcome, by `Reason`; canaries are not counted.
    """

    def __init__(
        self,
        prompt: Prompt = ENGLISH,
        max_characters: int = 20_000,
        min_confidence: float = 0.0,
        decoys: int = 3,
        rules: bool = True,
    ) -> None:
        if not 0 <= min_confidence <= 1:
            raise ValueError(f"min_confidence must be from 0 to 1, not {min_confidence}")
        self.prompt = prompt
        self.max_characters = max_characters
        self.min_confidence = min_confidence
        self.decoys = decoys
        self.rules = rules
        self.counts: Counter[Reason] = Counter()

    async def grade(self, question: str, response: str, reference: str | Sequence[str]) -> Outcome:
        """Grade one response.

        Args:
            question: what the policy was asked.
            response: all that it wrote. Graded is what stands in the last `<answer>`; without
                one, what follows `</think>`; else the whole.
            reference: the right answer, or several, each of them right.

        Returns:
            1.0 or 0.0, or an abstention: `bad_reference`, `judge_unreachable`,
            `judge_unparseable`, `judge_unsure`.

        Raises:
            TypeError: an argument is no text.
        """
        item = Item(question, response, reference)
        references = _references(item)
        outcome = self._rules(item, references)
        if outcome is None:
            answer = final_answer(response)
            assert answer is not None  # else the rules have decided
            outcome = await self._ask_with_decoys(question, answer, references)
        self.counts[outcome.reason] += 1
        return outcome

    async def ask(self, question: str, answer: str, references: Sequence[str]) -> Outcome:
        """Ask the model alone, without the rules: to measure it, or to send it canaries."""
        try:
            reply = await self._ask(self.prompt.messages(question, answer, references))
        except Abstained as abstained:
            return abstained.outcome
        sure = "" if reply.confidence is None else f", confidence {reply.confidence:.2f}"
        if self.min_confidence and (reply.confidence or 0.0) < self.min_confidence:
            return Outcome(
                None, Reason.JUDGE_UNSURE, f"below {self.min_confidence:.2f}{sure or ': not known'}"
            )
        if reply.verdict:
            return Outcome(1.0, Reason.CORRECT, f"judge{sure}")
        return Outcome(0.0, Reason.WRONG, f"judge{sure}")

    async def grade_batch(
        self,
        items: Sequence[Item],
        *,
        canaries: int = 3,
        max_canary_failures: float = 0.2,
        progress: bool = False,
    ) -> list[Outcome]:
        """Grade many, with canaries among them: questions to the model whose verdict is known.

        Args:
            items: outcomes come in their order.
            canaries: how many of each kind (see `canaries.make_canaries`); 0 sends none.
            max_canary_failures: the share of canaries with the wrong verdict that is still
                accepted. One that the judge abstains from is no failure.
            progress: show a bar.

        Raises:
            CanaryFailure: too many canaries failed; no outcome of the batch can be trusted.
            TypeError: something is no item; nothing was asked.
        """
        items = [Item(*item) for item in items]
        references = [_references(item) for item in items]
        known = make_canaries(
            [(item.question, refs) for item, refs in zip(items, references, strict=True) if refs],
            canaries,
        )
        with tqdm(total=len(items) + len(known), disable=not progress, unit="call") as bar:

            async def graded(item: Item) -> Outcome:
                outcome = await self.grade(*item)
                bar.update()
                return outcome

            async def checked(canary: Canary) -> Outcome:
                outcome = await self.ask(canary.question, canary.answer, canary.references)
                bar.update()
                return outcome

            # A task group, so that whatever ends this call leaves no call running.
            async with asyncio.TaskGroup() as group:
                checks = [group.create_task(checked(canary)) for canary in known]
                grades = [group.create_task(graded(item)) for item in items]
        failed = [
            canary
            for canary, check in zip(known, checks, strict=True)
            if check.result().score == 1.0 - canary.score
        ]
        if len(failed) > max_canary_failures * len(known):
            raise CanaryFailure(failed, len(known))
        return [grade.result() for grade in grades]

    async def _ask_with_decoys(self, question: str, answer: str, references: list[str]) -> Outcome:
        """Ask; what is accepted must not be accepted against a wrong reference as well."""
        outcome = await self.ask(question, answer, references)
        if outcome.score == 1.0:
            for decoy in make_decoys(question, answer, references, self.decoys):
                other = await self.ask(question, answer, [decoy])
                if other.score == 1.0:
                    detail = f"also accepted where the reference is {decoy!r}"
                    return Outcome(None, Reason.JUDGE_UNSURE, detail)
                if other.score is None:
                    return other
        return outcome

    @abstractmethod
    async def _ask(self, messages: list[dict[str, str]]) -> Reply:
        """The model's verdict; raise `Abstained` where there is none."""

    def _rules(self, item: Item, references: list[str]) -> Outcome | None:
        """What needs no model: bad references, answers that are too long, and tier 1."""
        if not references:
            return Outcome(None, Reason.BAD_REFERENCE, "the reference is empty")
        given = len(item.question) + sum(map(len, references))
        if given > self.max_characters:
            return Outcome(
                None,
                Reason.BAD_REFERENCE,
                f"question and references have {given:,} characters, over {self.max_characters:,}",
            )
        answer = final_answer(item.response)
        if answer is not None and len(answer) > self.max_characters:
            return Outcome(
                0.0,
                Reason.TOO_COMPLEX,
                f"the answer has {len(answer):,} characters, over {self.max_characters:,}",
            )
        outcome = decide(item.question, item.response, references)
        return None if outcome and outcome.score and not self.rules else outcome


def _references(item: Item) -> list[str]:
    """The references that are not blank; a TypeError says what is no text."""
    for name, text in (("question", item.question), ("response", item.response)):
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a string, not {type(text).__name__}")
    references = [item.reference] if isinstance(item.reference, str) else item.reference
    if not isinstance(references, Sequence) or not all(isinstance(r, str) for r in references):
        raise TypeError(f"reference must be a string or strings, not {item.reference!r}")
    return [reference for reference in references if reference.strip()]
