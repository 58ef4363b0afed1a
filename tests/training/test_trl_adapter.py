"""The adapter of TRL: the four laws, and the real `GRPOTrainer` on a tiny policy."""

import asyncio
import importlib.metadata
import importlib.util
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from graders import asks, grade, grade_async
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.utils import is_async_callable

from examples.rule_based import gsm8k
from examples.shared.outcome import Abstained, Outcome, Reason
from examples.training.adapters import Becomes, Checked
from examples.training.combine import group_advantages
from examples.training.small_policy import make_tokenizer, messages, teach_format
from examples.training.trl_adapter import ADAPTER, AsyncTRLReward, TRLReward, trl_reward
from examples.training.word_problems import make_problems

DOWN = Outcome(None, Reason.JUDGE_UNREACHABLE, "no route")


def raises_abstained(response: str, reference: str) -> Outcome:
    raise Abstained(DOWN)


async def raises_abstained_async(response: str, reference: str) -> Outcome:
    raise Abstained(DOWN)


def is_broken(response: str) -> Outcome:
    raise ZeroDivisionError("a bug")


async def is_broken_async(response: str) -> Outcome:
    raise ZeroDivisionError("a bug")


BOTH = pytest.mark.parametrize("grader", [grade, grade_async])


def call(reward: Any, completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """Call as TRL does: by name, awaited where the call is async."""
    result = reward(
        prompts=["8 * 9?"] * len(completions),
        completions=completions,
        completion_ids=[[1, 2]] * len(completions),
        trainer_state=None,
        **columns,
    )
    return asyncio.run(result) if inspect.iscoroutine(result) else result


# --- The function --------------------------------------------------------------------------------


def test_the_installed_version_is_the_one_that_was_checked() -> None:
    assert importlib.metadata.version("trl") == ADAPTER.version
    assert (ADAPTER.becomes, ADAPTER.checked) == (Becomes.LEFT_OUT, Checked.TRAINED)


@BOTH
def test_each_completion_is_scored_against_its_own_row(grader: Any) -> None:
    scores = call(trl_reward(grader), ["72", "72", "7"], answer=["72", "7", "7"])
    assert scores == [1.0, 0.0, 1.0]
    assert {type(score) for score in scores} == {float}


@pytest.mark.parametrize(
    ("grader", "is_async"), [(grade, False), (grade_async, True)], ids=["sync", "async"]
)
def test_trl_sees_the_kind_and_the_name_of_the_grader(grader: Any, is_async: bool) -> None:
    reward = trl_reward(grader)
    assert isinstance(reward, AsyncTRLReward if is_async else TRLReward)
    assert is_async_callable(reward) is is_async
    assert reward.__name__ == grader.__name__


@pytest.mark.parametrize("grader", [raises_abstained, raises_abstained_async])
def test_a_raised_abstention_is_none(grader: Any) -> None:
    assert call(trl_reward(grader), ["72"], answer=["72"]) == [None]


@BOTH
def test_an_abstention_is_none_beside_scores(grader: Any) -> None:
    """Laws 1 and 3: what the policy wrote scores, and an abstention is no number."""
    completions = ["72", "", "72", "no"]
    scores = call(trl_reward(grader), completions, answer=["72", "72", "broken", "72"])
    assert scores == [1.0, 0.0, None, 0.0]


@BOTH
def test_an_abstention_is_logged_with_its_reason(
    grader: Any, caplog: pytest.LogCaptureFixture
) -> None:
    columns: dict[str, list[Any]] = {}
    metrics: dict[str, float] = {}
    call(
        trl_reward(grader),
        ["72", "72", "7", "72"],
        answer=["72", "broken", "72", "72"],
        log_extra=columns.__setitem__,
        log_metric=metrics.__setitem__,
    )
    name = grader.__name__
    assert columns == {f"{name}_reason": ["correct", "bad_reference", "wrong", "correct"]}
    assert metrics == {f"abstained/{name}": 0.25}
    assert "bad_reference" in caplog.text


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "broken"]))))
def test_a_score_depends_on_its_own_row_alone(pairs: list[tuple[str, str]]) -> None:
    """Law 2: neither on the batch nor on the order."""
    alone = [call(trl_reward(grade), [text], answer=[answer])[0] for text, answer in pairs]
    for grader in (grade, grade_async):
        for order in (pairs, pairs[::-1]):
            texts, answers = [text for text, _ in order], [answer for _, answer in order]
            scores = call(trl_reward(grader), texts, answer=answers)
            assert scores == (alone if order is pairs else alone[::-1])


@given(st.text())
def test_what_the_policy_wrote_is_data(text: str) -> None:
    """Law 4."""
    seen: list[str] = []

    def looks(response: str) -> Outcome:
        seen.append(response)
        return Outcome(1.0, Reason.SCORED)

    call(trl_reward(looks), [text, [{"role": "assistant", "content": text}]])
    assert seen == [text, text]


def test_of_several_messages_the_last_is_graded() -> None:
    completion = [
        {"role": "assistant", "content": "Let me calculate.", "tool_calls": []},
        {"role": "tool", "name": "calculator", "content": "71"},
        {"role": "assistant", "content": "72"},
    ]
    assert call(trl_reward(grade), [completion], answer=["72"]) == [1.0]
    assert call(trl_reward(grade), [completion], answer=["71"]) == [0.0]


def test_async_graders_of_one_batch_run_together() -> None:
    here = 0

    async def counts(response: str) -> Outcome:
        nonlocal here
        here += 1
        while here < 8:
            await asyncio.sleep(0)
        return Outcome(1.0, Reason.SCORED)

    assert call(trl_reward(counts), ["a"] * 8) == [1.0] * 8


def test_columns_of_any_name_are_read() -> None:
    reward = trl_reward(grade, reference="the answer")
    assert call(reward, ["72"], **{"the answer": ["72"], "name": ["x"], "": ["y"]}) == [1.0]


def test_what_is_no_column_is_left_alone() -> None:
    assert call(trl_reward(grade), ["72", "7"], answer=["72", "7"], environments=[1]) == [1.0, 1.0]


@BOTH
def test_a_missing_column_is_an_error_not_a_zero(grader: Any) -> None:
    with pytest.raises(LookupError, match="no column 'solution'"):
        call(trl_reward(grader, reference="solution"), ["72"], answer=["72"])


@pytest.mark.parametrize("grader", [is_broken, is_broken_async])
def test_what_a_grader_raises_comes_through(grader: Any) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        call(trl_reward(grader), ["72"])


# --- The check before training -------------------------------------------------------------------


def test_a_data_set_that_fits_passes_the_check() -> None:
    rows = [{"prompt": messages("8 * 9?"), "question": "8 * 9?", "answer": "72"}]
    for data in (rows, Dataset.from_list(rows), iter(rows)):
        trl_reward(grade).check(data)
    trl_reward(asks).check(Dataset.from_list(rows))


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ({"question": "8 * 9?"}, LookupError, "row 1: no column 'answer'"),
        ({"answer": 72}, TypeError, "row 1: column 'answer' holds int 72"),
        ({"answer": None}, TypeError, "row 1: column 'answer' holds NoneType"),
        ({"answer": "72", "prompts": "x"}, ValueError, "row 1: .*'prompts'"),
        ({"answer": "72", "completions": "x"}, ValueError, "row 1: .*'completions'"),
        ({"answer": "72", "trainer_state": "x"}, ValueError, "row 1: .*'trainer_state'"),
        ({"answer": "72", "log_extra": "x"}, ValueError, "row 1: .*'log_extra'"),
        ({"answer": "72", "log_metric": "x"}, ValueError, "row 1: .*'log_metric'"),
        ({"answer": "72", "environments": "x"}, ValueError, "row 1: .*'environments'"),
    ],
)
def test_the_check_names_the_row_and_what_is_wrong(
    row: dict[str, Any], error: type[Exception], message: str
) -> None:
    for grader in (grade, grade_async):
        with pytest.raises(error, match=message):
            trl_reward(grader).check([{"answer": "72"}, row])


@pytest.mark.parametrize("column", ["prompt", "completion", "completion_ids"])
def test_a_column_that_trl_does_not_pass_on_cannot_be_graded_from(column: str) -> None:
    with pytest.raises(ValueError, match=f"no column named '{column}'"):
        trl_reward(grade, reference=column)
    with pytest.raises(ValueError, match=f"no column named '{column}'"):
        trl_reward(asks, question=column)
    trl_reward(grade, question=column)  # not read


def test_an_empty_data_set_fails_the_check() -> None:
    with pytest.raises(LookupError, match="no rows"):
        trl_reward(grade).check([])


# --- The real trainer ----------------------------------------------------------------------------

GROUP = 4


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer(["How many eggs does she sell a day?"], vocabulary=280)


class Scripted:
    """Outcomes in the order of the batch, whatever the policy writes."""

    def __init__(self, *scores: float | None) -> None:
        self.scores = scores
        self.calls = 0

    def next(self) -> Outcome:
        score = self.scores[self.calls % len(self.scores)]
        self.calls += 1
        return DOWN if score is None else Outcome(score, Reason.SCORED)


def scripted(*scores: float | None, name: str = "scripted") -> Callable[[str], Outcome]:
    script = Scripted(*scores)

    def grader(response: str) -> Outcome:
        return script.next()

    grader.__name__ = name
    return grader


def scripted_async(*scores: float | None) -> Callable[[str], Any]:
    script = Scripted(*scores)

    async def grader(response: str) -> Outcome:
        outcome = script.next()
        await asyncio.sleep(0)
        return outcome

    grader.__name__ = "scripted"
    return grader


class Trained:
    """A run of the real `GRPOTrainer` on a random Llama, and what it logged."""

    def __init__(
        self,
        folder: Path,
        tokenizer: PreTrainedTokenizerFast,
        rewards: Any,
        steps: int = 1,
        groups: int = 1,
        rows: Sequence[dict[str, Any]] | None = None,
        **options: Any,
    ) -> None:
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
        self.before = [weight.detach().clone() for weight in model.parameters()]
        self.model = model
        rows = rows or [{"prompt": messages("8 * 9?"), "answer": "72"}] * 8
        self.trainer = GRPOTrainer(
            model=model,
            reward_funcs=rewards,
            train_dataset=Dataset.from_list(list(rows)),
            processing_class=tokenizer,
            args=GRPOConfig(
                output_dir=str(folder),
                max_steps=steps,
                per_device_train_batch_size=GROUP * groups,
                num_generations=GROUP,
                max_completion_length=3,
                learning_rate=1e-2,
                weight_decay=0.0,
                beta=0.0,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                use_cpu=True,
                bf16=False,
                activation_checkpointing=False,
                disable_tqdm=True,
                **options,
            ),
        )
        self.trainer.train()

    @property
    def advantages(self) -> list[float]:
        return list(self.trainer._logs["advantages"])

    @property
    def log(self) -> dict[str, Any]:
        return next(entry for entry in self.trainer.state.log_history if "reward" in entry)

    @property
    def moved(self) -> bool:
        after = self.model.parameters()
        return any(not torch.equal(a, b) for a, b in zip(self.before, after, strict=True))


Train = Callable[..., Trained]


@pytest.fixture
def train(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Train:
    def run(rewards: Any, **options: Any) -> Trained:
        return Trained(tmp_path, tokenizer, rewards, **options)

    return run


def with_zeros(advantages: Sequence[float | None]) -> list[float]:
    return [0.0 if advantage is None else advantage for advantage in advantages]


@pytest.mark.parametrize("script", [scripted, scripted_async], ids=["sync", "async"])
def test_trl_trains_on_the_scores_and_leaves_abstentions_out(
    script: Callable[..., Any], train: Train
) -> None:
    """Two groups in one batch. Those who abstained have advantage 0, exactly, and the others are
    compared among themselves: as if the group were smaller."""
    first, second = [1.0, 0.0, None, 0.5], [None, 0.25, 1.0, None]
    trained = train(trl_reward(script(*first, *second)), groups=2)
    expected = group_advantages(first) + group_advantages(second)
    assert trained.advantages == pytest.approx(with_zeros(expected), abs=1e-4)
    assert [trained.advantages[index] for index in (2, 4, 7)] == [0.0] * 3
    assert trained.moved
    assert trained.log["reward"] == pytest.approx(2.75 / 5)
    assert trained.log["rewards/scripted/mean"] == pytest.approx(2.75 / 5)
    assert trained.log["abstained/scripted"] == pytest.approx(3 / 8)
    reasons = ["judge_unreachable" if s is None else "scored" for s in (*first, *second)]
    assert list(trained.trainer._logs["extra"]["scripted_reason"]) == reasons


def test_an_abstention_is_not_a_zero_to_trl(train: Train) -> None:
    left_out = train(trl_reward(scripted(1.0, 0.5, None, None))).advantages
    made_up = train(trl_reward(scripted(1.0, 0.5, 0.0, 0.0))).advantages
    assert left_out[:2] == pytest.approx([0.707, -0.707], abs=1e-3)
    assert made_up[1] > 0


@pytest.mark.parametrize("script", [scripted, scripted_async], ids=["sync", "async"])
def test_a_batch_in_which_all_abstain_moves_no_weight(
    script: Callable[..., Any], train: Train
) -> None:
    trained = train(trl_reward(script(None)), steps=2)
    assert trained.advantages[-GROUP:] == [0.0] * GROUP
    assert not trained.moved
    assert trained.log["abstained/scripted"] == 1.0
    assert trained.log["reward"] is None


def test_a_group_in_which_one_is_left_teaches_nothing(train: Train) -> None:
    trained = train(trl_reward(scripted(None, None, 1.0, None)))
    assert trained.advantages == [0.0] * GROUP
    assert not trained.moved


def test_beside_a_second_reward_function_none_counts_as_zero_in_the_sum(train: Train) -> None:
    """Why graders are combined first: TRL adds up what is left, on another scale."""
    rules = trl_reward(scripted(1.0, 1.0, 0.0, 0.0, name="rules"))
    judge = trl_reward(scripted(1.0, None, 1.0, None, name="judge"))
    trained = train([rules, judge])
    assert trained.advantages == pytest.approx(
        with_zeros(group_advantages([2.0, 1.0, 1.0, 0.0])), abs=1e-4
    )


@pytest.mark.parametrize("grader", [is_broken, is_broken_async])
def test_a_grader_that_raises_stops_the_run(grader: Any, train: Train) -> None:
    with pytest.raises(ZeroDivisionError, match="a bug"):
        train(trl_reward(grader))


def test_the_columns_of_the_data_set_arrive_with_their_completion(train: Train) -> None:
    seen: list[tuple[str, str, str]] = []

    def watches(question: str, response: str, reference: str) -> Outcome:
        seen.append((question, response, reference))
        return Outcome(float(len(seen) % 2), Reason.SCORED)

    rows = [
        {"prompt": messages(f"{n}?"), "question": f"{n}?", "solution": str(n), "self_": n}
        for n in range(8)
    ]
    trained = train(trl_reward(watches, reference="solution"), rows=rows, groups=2)
    assert len(seen) == 2 * GROUP
    assert [question for question, _, _ in seen[::GROUP]] == list(
        dict.fromkeys(question for question, _, _ in seen)
    )
    prompts = [prompt[0]["content"] for prompt in trained.trainer._logs["prompt"]]
    completions = [completion[0]["content"] for completion in trained.trainer._logs["completion"]]
    assert [(question, response) for question, response, _ in seen] == list(
        zip(prompts, completions, strict=True)
    )
    assert all(question == f"{answer}?" for question, _, answer in seen)


def test_a_policy_without_a_chat_template_is_graded_too(train: Train) -> None:
    rows = [{"prompt": "8 * 9?", "answer": "72"}] * 8
    trained = train(trl_reward(scripted(1.0, None, 0.0, 0.5)), rows=rows)
    assert trained.advantages == pytest.approx(
        with_zeros(group_advantages([1.0, None, 0.0, 0.5])), abs=1e-4
    )


def test_with_normalize_then_sum_an_abstention_has_advantage_zero_as_well(train: Train) -> None:
    trained = train(
        trl_reward(scripted(1.0, None, 0.0, 0.5)), multi_objective_aggregation="normalize_then_sum"
    )
    assert trained.advantages[1] == 0.0
    assert trained.advantages[0] > 0 > trained.advantages[2]


def test_the_snippet_of_the_book_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = Path(__file__).parent / "snippets" / "trl_gsm8k.py"
    spec = importlib.util.spec_from_file_location("trl_gsm8k", snippet)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    problems = make_problems(8, seed=0)
    teach_format(tmp_path / "policy", problems, steps=1)
    trainers: list[GRPOTrainer] = []

    class Watched(GRPOTrainer):
        def train(self, *args: Any, **kwargs: Any) -> Any:
            trainers.append(self)
            return super().train(*args, **kwargs)

    monkeypatch.setattr(module, "GRPOTrainer", Watched)
    rows = [{"question": p.question, "answer": p.answer} for p in problems]
    config = {"max_steps": 1, "per_device_train_batch_size": 4, "num_generations": 4}
    config |= {"max_completion_length": 3, "logging_steps": 1, "save_strategy": "no"}
    config |= {
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,
    }
    module.main(
        str(tmp_path / "policy"), Dataset.from_list(rows), GRPOConfig(str(tmp_path), **config)
    )
    assert trainers[0].state.log_history[0]["abstained/grade"] == 0.0
    with pytest.raises(LookupError, match="row 0: no column 'answer'"):
        module.main("no policy", Dataset.from_list([{"question": "8 * 9?"}]), None)


TOOL = {"role": "tool", "name": "calculator", "content": "72"}


@pytest.mark.parametrize(
    "completion",
    [
        [{"role": "assistant", "content": "", "tool_calls": []}, TOOL],
        [{"role": "assistant", "tool_calls": []}],
        [{"role": "assistant", "content": None}],
        [TOOL],
        [],
    ],
)
def test_where_the_policy_said_nothing_nothing_else_is_graded(completion: Any) -> None:
    assert trl_reward(gsm8k.grade)([0], [completion], answer=["#### 72"]) == [0.0]


def test_a_message_of_parts_is_read() -> None:
    parts = [{"type": "text", "text": "#### 7"}, {"type": "text", "text": "2"}]
    completion = [{"role": "assistant", "content": parts}]
    assert trl_reward(gsm8k.grade)([0], [completion], answer=["#### 72"]) == [1.0]


def test_a_column_may_be_named_self() -> None:
    columns = {"answer": ["#### 72"], "self": ["x"]}
    assert trl_reward(gsm8k.grade)([0], ["#### 72"], **columns) == [1.0]


def test_an_empty_batch_has_no_scores() -> None:
    assert trl_reward(gsm8k.grade)([], [], answer=[], log_metric=print) == []


def test_a_name_of_ones_own_is_in_the_metrics() -> None:
    logged: dict[str, float] = {}
    reward = trl_reward(gsm8k.grade, name="by_rule")
    reward([0], ["#### 72"], answer=["#### 72"], log_metric=logged.__setitem__)
    assert (reward.__name__, logged) == ("by_rule", {"abstained/by_rule": 0.0})
