"""The critic: the same score in any company, no code but its own, and no failure becomes a score."""

import json
import logging
import math
import pickle
import random
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from examples.critic_like.alignment_critic import (
    MODEL_TYPES,
    AlignmentCriticReward,
    Critic,
    alignment_critic_reward_fn,
    batches_by_length,
)
from examples.critic_like.bases import minilm
from examples.critic_like.conversations import encode, human_assistant_template
from examples.critic_like.train_critic import Settings, load_base
from examples.shared.outcome import Abstained, Outcome, Reason

KINDS = ["decoder", "encoder"]
NEAR = 1e-5


def talk(response: str, question: str = "What is the capital?") -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": response}]


TALKS = [talk(r) for r in ("", "Paris.", "good " * 20, "巴黎是首都。", "bad", "é 🗼 " * 9, "a\nb")]


def one_by_one(critic: Critic, conversations: Sequence[Any]) -> list[float]:
    return [critic.score([conversation])[0] for conversation in conversations]


def assert_near(scores: Sequence[float], expected: Sequence[float], within: float = NEAR) -> None:
    assert len(scores) == len(expected)
    assert max((abs(a - b) for a, b in zip(scores, expected, strict=True)), default=0) <= within


@pytest.fixture(scope="session")
def critics(decoder: Critic, encoder: Critic) -> dict[str, Critic]:
    return {"decoder": decoder, "encoder": encoder}


@pytest.fixture
def own_critic(decoder_folder: Path) -> Critic:
    """A critic of one's own, to change at will."""
    return Critic.load(decoder_folder, device="cpu")


@pytest.fixture
def own_folder(decoder_folder: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own, to change at will."""
    return Path(shutil.copytree(decoder_folder, tmp_path / "critic"))


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if any weights are read."""

    def read(*args: Any, **kwargs: Any) -> None:
        pytest.fail("weights were read")

    monkeypatch.setattr(AutoModelForSequenceClassification, "from_pretrained", read)


def edit_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


# --- Law 2: a score depends on the conversation alone ------------------------------------------

texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", " ", "天空为什么是蓝色的？", "<|im_end|>", "[SEP]", "\n\nHuman: ok"]),
    st.integers(1, 80).map(lambda n: "good answer " * n),
)
conversations = st.lists(st.builds(talk, texts, texts), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", KINDS)
@given(talks=conversations, batch_tokens=st.integers(1, 2000), order=st.randoms())
@example(talks=TALKS, batch_tokens=1, order=random.Random(0))
@example(talks=TALKS, batch_tokens=64, order=random.Random(0))
@example(talks=TALKS, batch_tokens=8192, order=random.Random(0))
@settings(max_examples=40)
def test_a_score_depends_on_no_batch_and_no_order(
    critics: dict[str, Critic],
    kind: str,
    talks: list[Any],
    batch_tokens: int,
    order: random.Random,
) -> None:
    whole = critics[kind]
    expected = one_by_one(whole, talks)
    places = list(range(len(talks)))
    order.shuffle(places)
    critic = Critic(whole.model, whole.tokenizer, whole.max_length, batch_tokens)
    scores = critic.score([talks[place] for place in places])
    assert_near(scores, [expected[place] for place in places])


@pytest.mark.parametrize("kind", KINDS)
def test_scores_differ_by_far_more_than_the_tolerance(
    critics: dict[str, Critic], kind: str
) -> None:
    """Without this, the tests of sameness would prove little."""
    scores = critics[kind].score(TALKS)
    gaps = [abs(a - b) for i, a in enumerate(scores) for b in scores[:i]]
    assert min(gaps) > 100 * NEAR


@pytest.mark.parametrize("padding_side", ["left", "right"])
@pytest.mark.parametrize("truncation_side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_score_depends_on_no_side_of_the_tokenizer(
    critics: dict[str, Critic],
    load_chatml: Callable[[], PreTrainedTokenizerBase],
    load_wordpiece: Callable[[], PreTrainedTokenizerBase],
    kind: str,
    padding_side: str,
    truncation_side: str,
) -> None:
    tokenizer = load_chatml() if kind == "decoder" else load_wordpiece()
    tokenizer.padding_side, tokenizer.truncation_side = padding_side, truncation_side
    critic = Critic(critics[kind].model, tokenizer, 48)
    straight = Critic(critics[kind].model, critics[kind].tokenizer, 48)
    assert_near(critic.score(TALKS), one_by_one(straight, TALKS))


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_every_listed_architecture_scores_the_same_in_any_company(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    critic = Critic.load(make_critic(model_type), device="cpu", max_length=120)
    alone = one_by_one(critic, TALKS)
    assert_near(critic.score(TALKS), alone)
    assert len({round(score, 3) for score in alone}) > 3


def test_a_pretrained_encoder_scores_the_same_in_any_company() -> None:
    model, tokenizer = load_base(minilm(), Settings())
    critic = Critic(model, tokenizer, 256)
    assert_near(critic.score(TALKS), one_by_one(critic, TALKS))


@pytest.mark.parametrize("kind", KINDS)
def test_a_critic_is_exactly_the_same_after_it_is_saved_and_loaded(
    critics: dict[str, Critic], kind: str, tmp_path: Path
) -> None:
    """Its weights and tokens are. A score may differ in its last bit: where in memory a weight
    lies decides how a CPU groups a sum."""
    critic = critics[kind]
    critic.model.save_pretrained(tmp_path)
    critic.tokenizer.save_pretrained(tmp_path)
    loaded = Critic.load(tmp_path, device="cpu")
    weights, before = loaded.model.state_dict(), critic.model.state_dict()
    assert weights.keys() == before.keys()
    assert all(torch.equal(weights[name], before[name]) for name in before)
    assert encode(loaded.tokenizer, TALKS, 128) == encode(critic.tokenizer, TALKS, 128)
    assert_near(loaded.score(TALKS), critic.score(TALKS), within=1e-6)


def test_scoring_twice_gives_the_same_in_spite_of_dropout_in_the_config(
    make_critic: Callable[..., Path],
) -> None:
    folder = make_critic("bert", hidden_dropout_prob=0.5, attention_probs_dropout_prob=0.5)
    critic = Critic.load(folder, device="cpu")
    assert critic.score(TALKS) == critic.score(TALKS)


def test_threads_share_a_critic_without_mixing_their_scores(decoder: Critic) -> None:
    expected = one_by_one(decoder, TALKS)

    def work(seed: int) -> bool:
        places = random.Random(seed).sample(range(len(TALKS)), 4)
        scores = decoder.score([TALKS[place] for place in places])
        assert_near(scores, [expected[place] for place in places])
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))


def test_nothing_to_score_gives_no_scores(decoder: Critic) -> None:
    assert decoder.score([]) == []


def test_a_conversation_that_is_none_is_refused_before_anything_is_scored(
    own_critic: Critic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        own_critic.model, "forward", lambda **_: pytest.fail("something was scored")
    )
    with pytest.raises(ValueError, match="conversation 1: the last message"):
        own_critic.score([talk("Paris"), talk("Paris")[:1]])


# --- Batches -----------------------------------------------------------------------------------

lengths = st.lists(st.integers(1, 500))


@given(lengths, st.integers(1, 3000))
def test_batches_hold_every_index_once_and_the_bound(sizes: list[int], batch_tokens: int) -> None:
    batches = list(batches_by_length(sizes, batch_tokens))
    assert sorted(index for batch in batches for index in batch) == list(range(len(sizes)))
    for batch in batches:
        assert batch
        work = len(batch) * max(sizes[i] for i in batch)
        assert len(batch) == 1 or work <= batch_tokens
        assert work - sum(sizes[i] for i in batch) <= 0.02 * batch_tokens


@given(lengths, st.integers(1, 3000))
def test_the_longest_come_first(sizes: list[int], batch_tokens: int) -> None:
    order = [sizes[index] for batch in batches_by_length(sizes, batch_tokens) for index in batch]
    assert order == sorted(sizes, reverse=True)


def test_little_of_the_work_is_padding() -> None:
    """Lengths as in hh-rlhf: a mean of 155 tokens with a long tail."""
    source = random.Random(0)
    sizes = [min(512, int(source.lognormvariate(4.75, 0.75)) + 1) for _ in range(3600)]
    work = sum(
        len(batch) * max(sizes[i] for i in batch) for batch in batches_by_length(sizes, 8192)
    )
    assert 1 - sum(sizes) / work < 0.02


@pytest.mark.parametrize("batch_tokens", [1, 50, 200, 8192])
def test_no_pass_holds_more_tokens_than_allowed(decoder: Critic, batch_tokens: int) -> None:
    critic = Critic(decoder.model, decoder.tokenizer, decoder.max_length, batch_tokens)
    shapes: list[tuple[int, int]] = []
    hook = critic.model.register_forward_pre_hook(
        lambda _, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    try:
        critic.score(TALKS)
    finally:
        hook.remove()
    assert sum(rows for rows, _ in shapes) == len(TALKS)
    assert all(rows * width <= batch_tokens or rows == 1 for rows, width in shapes)
    assert len(shapes) < len(TALKS) or batch_tokens < 8192


# --- Too long ----------------------------------------------------------------------------------


def test_a_long_conversation_is_scored_by_its_end(decoder: Critic) -> None:
    critic = Critic(decoder.model, decoder.tokenizer, 40)
    end = "is " * 60
    one, other = critic.score([talk(f"good {end}Paris"), talk(f"bad bad {end}Paris")])
    (third,) = critic.score([talk(f"good {end}London")])
    assert one == other
    assert abs(one - third) > 100 * NEAR


def test_what_is_cut_is_logged_with_counts(
    decoder: Critic, caplog: pytest.LogCaptureFixture
) -> None:
    talks = [talk("good " * 90), talk("Paris"), talk("good " * 60)]
    lost = encode(decoder.tokenizer, talks, 64)[1]
    with caplog.at_level(logging.INFO):
        Critic(decoder.model, decoder.tokenizer, 64).score(talks)
    (record,) = [r for r in caplog.records if r.name.startswith("examples.")]
    assert record.levelno == logging.WARNING
    assert "2 of 3 conversations" in record.getMessage()
    assert "max_length=64" in record.getMessage()
    assert f"at most {max(lost)} tokens" in record.getMessage()


def test_nothing_is_logged_where_nothing_is_cut(
    decoder: Critic, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        decoder.score(TALKS)
    assert not [r for r in caplog.records if r.name.startswith("examples.")]


@pytest.mark.parametrize("max_length", [0, -1, 129])
def test_a_length_that_the_model_cannot_take_is_refused(decoder: Critic, max_length: int) -> None:
    with pytest.raises(ValueError, match="max_length must be from 1 to 128"):
        Critic(decoder.model, decoder.tokenizer, max_length)


def test_the_tokenizer_says_how_long_a_conversation_may_be(own_folder: Path) -> None:
    edit_json(own_folder / "tokenizer_config.json", model_max_length=33)
    assert Critic.load(own_folder, device="cpu").max_length == 33
    assert Critic.load(own_folder, device="cpu", max_length=44).max_length == 44


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_no_conversation_is_too_long_for_a_listed_architecture(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    """The tokenizer knows no limit, so `load` finds what the model can take."""
    critic = Critic.load(make_critic(model_type), device="cpu")
    assert 120 <= critic.max_length <= 128
    assert math.isfinite(critic.score([talk("good " * 500)])[0])


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_every_length_that_is_accepted_can_be_scored(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    folder = make_critic(model_type)
    accepted = 0
    for max_length in range(123, 130):
        try:
            critic = Critic.load(folder, device="cpu", max_length=max_length)
        except ValueError:
            continue
        assert math.isfinite(critic.score([talk("good " * 500)])[0])
        accepted += 1
    assert accepted


# --- Laws 1 and 3: a failure is no score --------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_the_model_made_not_finite_abstains(own_critic: Critic, bad: float) -> None:
    with torch.no_grad():
        own_critic.model.score.weight.fill_(bad)
    scores = own_critic.score(TALKS)
    assert len(scores) == len(TALKS)
    assert not any(math.isfinite(score) for score in scores)
    outcome = own_critic.grade(talk("Paris"))
    assert outcome == Outcome(None, Reason.BAD_SCORE, outcome.detail)


def test_a_reward_of_a_broken_model_is_an_abstention_and_never_a_number(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(own_folder)
    with torch.no_grad():
        model.score.weight.fill_(math.nan)
    model.save_pretrained(own_folder)
    monkeypatch.setenv("REWARD_MODEL_PATH", str(own_folder))
    for reward_fn in (AlignmentCriticReward(str(own_folder)), alignment_critic_reward_fn):
        with pytest.raises(Abstained, match="bad_score") as caught:
            reward_fn("Hi", "Hello", [1], [2])
        assert caught.value.outcome.score is None


def test_a_score_is_graded_as_it_is(decoder: Critic) -> None:
    for conversation in TALKS:
        (score,) = decoder.score([conversation])
        assert decoder.grade(conversation) == Outcome(score, Reason.SCORED)


def test_an_error_of_the_model_is_raised_and_the_next_call_works(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("CUDA out of memory")

    reward_fn = AlignmentCriticReward(str(own_folder), device="cpu")
    expected = reward_fn("Hi", "Hello")
    with monkeypatch.context() as patch:
        patch.setattr(reward_fn.critic().model, "forward", fail)
        with pytest.raises(RuntimeError, match="out of memory"):
            reward_fn.critic().score([talk("Paris")])
        with pytest.raises(RuntimeError, match="out of memory"):
            reward_fn.critic().grade(talk("Paris"))
        with pytest.raises(RuntimeError, match="out of memory"):
            reward_fn("Hi", "Hello")
    assert reward_fn("Hi", "Hello") == expected


# --- The reward functions ----------------------------------------------------------------------


@pytest.fixture(params=["class", "function"])
def reward_fn(
    request: pytest.FixtureRequest, decoder_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., float]:
    """Both reward functions, over the decoder's checkpoint."""
    monkeypatch.setenv("REWARD_MODEL_PATH", str(decoder_folder))
    monkeypatch.delenv("REWARD_MODEL_REVISION", raising=False)
    if request.param == "class":
        return AlignmentCriticReward(str(decoder_folder))
    return alignment_critic_reward_fn


def expected_of(critic: Critic, *messages: dict[str, str]) -> Any:
    return pytest.approx(critic.score([list(messages)])[0], abs=1e-4)  # a GPU, where there is one


def test_areals_four_arguments_give_one_float(
    reward_fn: Callable[..., float], decoder: Critic
) -> None:
    reward = reward_fn("What is the capital?", "Paris.", [1, 2], [3])
    assert type(reward) is float
    assert reward == expected_of(decoder, *talk("Paris."))


def test_a_plain_prompt_is_one_message_of_the_user(
    reward_fn: Callable[..., float], decoder: Critic
) -> None:
    prompt = "Explain what Human: means in\n\nAssistant: text [1] <b>"
    assert reward_fn(prompt, "ok") == expected_of(decoder, *talk("ok", prompt))


@pytest.mark.parametrize("end", ["\n\nAssistant:", "\n\nAssistant: ", ""])
def test_a_prompt_in_hh_rlhfs_form_is_its_dialogue(
    reward_fn: Callable[..., float], decoder: Critic, end: str
) -> None:
    prompt = f"\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: 2+2?{end}"
    first = talk("Hello!", "Hi")
    assert reward_fn(prompt, "4") == expected_of(decoder, *first, *talk("4", "2+2?"))


def test_the_column_of_messages_is_the_conversation(
    reward_fn: Callable[..., float], decoder: Critic
) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *talk("", "2+2?")[:1]]
    rendered = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
    before = json.dumps(messages)
    reward = reward_fn(rendered, "4", [1], [2], messages=messages)
    assert reward == expected_of(decoder, *messages, {"role": "assistant", "content": "4"})
    assert json.dumps(messages) == before


RENDERED = {
    "ChatML": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "Llama 3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
    "Gemma": "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n",
    "Mistral": "<s>[INST] Hi [/INST]",
    "Phi": "<|user|>\nHi<|end|>\n<|assistant|>\n",
    "DeepSeek": "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>",
}


@pytest.mark.parametrize("name", RENDERED)
def test_a_prompt_that_a_chat_template_rendered_needs_messages(
    reward_fn: Callable[..., float], name: str
) -> None:
    with pytest.raises(ValueError, match="messages"):
        reward_fn(RENDERED[name], "Hello")


def test_a_response_may_hold_chat_markup(reward_fn: Callable[..., float]) -> None:
    assert math.isfinite(reward_fn("Hi", "<|im_end|>\n<|im_start|>user\n[INST]"))


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_path_the_function_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("REWARD_MODEL_PATH", raising=False)
    if value is not None:
        monkeypatch.setenv("REWARD_MODEL_PATH", value)
    with pytest.raises(RuntimeError, match="REWARD_MODEL_PATH is not set"):
        alignment_critic_reward_fn("Hi", "Hello", [1], [2])


# --- Law 4: the path comes from the operator ----------------------------------------------------

NAMES = [
    "reward_model_path", "REWARD_MODEL_PATH", "path", "model", "model_path", "revision", "device",
    "dtype", "max_length", "chat_template", "pad_token", "critic", "reward_model", "self",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_column_decides_which_checkpoint_is_loaded(
    reward_fn: Callable[..., float],
    decoder: Critic,
    encoder_folder: Path,
    name: str,
) -> None:
    columns = {name: str(encoder_folder)}
    reward = reward_fn("What is the capital?", "Paris.", [1], [2], **columns)
    assert reward == expected_of(decoder, *talk("Paris."))


class Stub:
    """What stands for a critic where only its loading is looked at."""

    def grade(self, conversation: Any) -> Outcome:
        return Outcome(1.5, Reason.SCORED)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The calls of `Critic.load`, which loads nothing."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def load(path: str, **options: Any) -> Stub:
        calls.append((path, options))
        return Stub()

    monkeypatch.setattr(Critic, "load", load)
    return calls


def test_the_environment_alone_decides_what_the_function_loads(
    loads: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REWARD_MODEL_PATH", str(tmp_path))
    monkeypatch.setenv("REWARD_MODEL_REVISION", "c0ffee")
    columns: dict[str, Any] = dict.fromkeys(NAMES[:-1], "evil")
    assert alignment_critic_reward_fn("Hi", "Hello", [1], [2], **columns) == 1.5
    ((path, options),) = loads
    assert (path, options.pop("revision")) == (str(tmp_path), "c0ffee")
    assert "evil" not in options.values()


def test_the_arguments_of_the_class_are_those_of_load(
    loads: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "revision": "c0ffee", "device": "cpu", "dtype": "bfloat16", "max_length": 77,
        "chat_template": "x", "pad_token": "<|pad|>",
    }  # fmt: skip
    assert AlignmentCriticReward(str(tmp_path), **options)("Hi", "Hello") == 1.5
    assert loads == [(str(tmp_path), options)]


def test_two_checkpoints_live_side_by_side(decoder_folder: Path, encoder_folder: Path) -> None:
    one, other = (AlignmentCriticReward(str(f)) for f in (decoder_folder, encoder_folder))
    first = one("Hi", "Hello")
    assert other("Hi", "Hello") != first
    assert one("Hi", "Hello") == first


# --- Loading once -------------------------------------------------------------------------------


def call_at_once(reward_fn: AlignmentCriticReward, threads: int) -> list[Any]:
    """What each of so many threads got, all called at the same moment: a reward or an error."""
    barrier = threading.Barrier(threads)

    def call(_: int) -> Any:
        barrier.wait()
        try:
            return reward_fn("Hi", "Hello")
        except OSError as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(call, range(threads)))


def test_64_threads_load_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[str] = []

    def load(path: str, **_: Any) -> Stub:
        calls.append(path)
        time.sleep(0.1)  # every other thread comes while this one loads
        return Stub()

    monkeypatch.setattr(Critic, "load", load)
    assert call_at_once(AlignmentCriticReward(str(tmp_path)), 64) == [1.5] * 64
    assert calls == [str(tmp_path)]


def test_a_load_that_fails_raises_for_every_caller_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(path: str, **_: Any) -> Stub:
        time.sleep(0.01)
        raise OSError(f"{path} is not mounted")

    reward_fn = AlignmentCriticReward(str(tmp_path))
    monkeypatch.setattr(Critic, "load", fail)
    results = call_at_once(reward_fn, 16)
    assert all(isinstance(result, OSError) for result in results)
    monkeypatch.setattr(Critic, "load", lambda path, **_: Stub())
    assert reward_fn("Hi", "Hello") == 1.5


def test_a_child_forked_while_another_thread_loads_can_load(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    true_in_a_child: Callable[[Callable[[], bool]], bool],
) -> None:
    reward_fn = AlignmentCriticReward(str(tmp_path))
    loading, forked = threading.Event(), threading.Event()

    def load(path: str, **_: Any) -> Stub:
        if threading.current_thread() is not threading.main_thread():
            loading.set()
            forked.wait(120)
        return Stub()

    monkeypatch.setattr(Critic, "load", load)
    thread = threading.Thread(target=reward_fn, args=("Hi", "Hello"))
    thread.start()
    assert loading.wait(60)
    assert true_in_a_child(lambda: reward_fn("Hi", "Hello") == 1.5)
    forked.set()
    thread.join()


def test_a_child_forked_while_another_thread_scores_can_score(
    decoder: Critic, true_in_a_child: Callable[[Callable[[], bool]], bool]
) -> None:
    with decoder._lock:
        assert true_in_a_child(lambda: decoder.score([]) == [])


def test_equal_reward_functions_share_one_critic(
    loads: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    for _ in range(3):
        AlignmentCriticReward(str(tmp_path))("Hi", "Hello")
    assert len(loads) == 1


def test_building_a_reward_function_loads_nothing(no_weights: None) -> None:
    AlignmentCriticReward("no/such-model")


def test_a_pickle_carries_no_weights(decoder_folder: Path) -> None:
    reward_fn = AlignmentCriticReward(str(decoder_folder), device="cpu")
    reward = reward_fn("Hi", "Hello")
    pickled = pickle.dumps(reward_fn)
    assert len(pickled) < 1000
    assert pickle.loads(pickled)("Hi", "Hello") == reward


# --- Where it runs ------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
def test_a_worker_forked_after_cuda_was_used_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, decoder_folder: Path, no_weights: None, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    with pytest.raises(RuntimeError, match="spawn"):
        Critic.load(decoder_folder, device=device)


def test_such_a_worker_can_score_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, decoder_folder: Path, decoder: Critic
) -> None:
    monkeypatch.setattr(torch.cuda, "_is_in_bad_fork", lambda: True)
    assert_near(Critic.load(decoder_folder, device="cpu").score(TALKS), decoder.score(TALKS))


def test_a_checkpoint_in_bfloat16_is_scored_in_float32_on_a_cpu(
    make_critic: Callable[..., Path],
) -> None:
    folder = make_critic("llama", dtype=torch.bfloat16)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    critic = Critic.load(folder, device="cpu")
    assert {parameter.dtype for parameter in critic.model.parameters()} == {torch.float32}
    assert_near(critic.score(TALKS), one_by_one(critic, TALKS))


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_another_type_can_be_asked_for(decoder_folder: Path, dtype: Any) -> None:
    critic = Critic.load(decoder_folder, device="cpu", dtype=dtype)
    assert critic.model.dtype == torch.bfloat16
    assert math.isfinite(critic.score([talk("Paris")])[0])


# --- What is refused before weights are read ----------------------------------------------------

CODE = (
    "open({marker!r}, 'w').close()\nclass Config: pass\nclass Model: pass\nclass Tokenizer: pass\n"
)


@pytest.fixture
def marker(own_folder: Path, tmp_path: Path) -> Path:
    """A file that code in the checkpoint would create."""
    path = tmp_path / "executed"
    (own_folder / "evil.py").write_text(CODE.format(marker=str(path)))
    return path


@pytest.mark.parametrize(
    "model_type", [None, "", "t5", "mamba", "evil", "LLAMA", pytest.param(["llama"], id="a list")]
)
def test_a_model_type_that_is_not_listed_is_refused(
    own_folder: Path, no_weights: None, model_type: Any
) -> None:
    edit_json(own_folder / "config.json", model_type=model_type)
    with pytest.raises(ValueError, match="model_type"):
        Critic.load(own_folder, device="cpu")


@pytest.mark.parametrize("model_type", ["llama", "evil"])
def test_code_of_a_checkpoint_is_refused_and_never_runs(
    own_folder: Path, marker: Path, no_weights: None, model_type: str
) -> None:
    edit_json(
        own_folder / "config.json",
        model_type=model_type,
        auto_map={
            "AutoConfig": "evil.Config",
            "AutoModelForSequenceClassification": "evil.Model",
        },
    )
    with pytest.raises(ValueError, match=r"code of its own|model_type"):
        Critic.load(own_folder, device="cpu")
    assert not marker.exists()


def test_code_of_a_tokenizer_never_runs(own_folder: Path, marker: Path) -> None:
    edit_json(
        own_folder / "tokenizer_config.json",
        tokenizer_class="Tokenizer",
        auto_map={"AutoTokenizer": ["evil.Tokenizer", "evil.Tokenizer"]},
    )
    with pytest.raises(ValueError, match="trust_remote_code"):
        Critic.load(own_folder, device="cpu")
    assert not marker.exists()


@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation"])
def test_a_checkpoint_cannot_name_a_kernel_to_download_and_run(own_folder: Path, key: str) -> None:
    edit_json(own_folder / "config.json", **{key: "kernels-community/flash-attn2"})
    with pytest.raises(ValueError, match=r"attn_implementation|kernel"):
        Critic.load(own_folder, device="cpu")


def test_an_adapter_is_refused(own_folder: Path, no_weights: None) -> None:
    (own_folder / "adapter_config.json").write_text('{"base_model_name_or_path": "evil/base"}')
    with pytest.raises(ValueError, match=r"adapter.*merge"):
        Critic.load(own_folder, device="cpu")


class Bomb:
    """Unpickled, it creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> Any:
        return (open, (self.marker, "w"))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.bin", "model.safetensors"])
def test_pickled_weights_are_refused_and_never_unpickled(
    own_folder: Path, tmp_path: Path, name: str
) -> None:
    weights = AutoModelForSequenceClassification.from_pretrained(own_folder).state_dict()
    (own_folder / "model.safetensors").unlink()
    torch.save(weights | {"bomb": Bomb(tmp_path / "executed")}, own_folder / name)
    with pytest.raises(Exception, match=r"safetensors|[Hh]eader"):
        Critic.load(own_folder, device="cpu")
    assert not (tmp_path / "executed").exists()


def test_a_missing_folder_is_an_error_of_files(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        Critic.load(tmp_path / "missing", device="cpu")


def test_a_folder_without_a_config_is_an_error_of_files(own_folder: Path) -> None:
    (own_folder / "config.json").unlink()
    with pytest.raises(OSError, match=r"config\.json"):
        Critic.load(own_folder, device="cpu")


def test_every_listed_type_is_a_sequence_classifier_of_transformers() -> None:
    assert set(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES) >= MODEL_TYPES


# --- What is no reward model --------------------------------------------------------------------


@pytest.mark.parametrize("model_type", ["llama", "bert"])
def test_a_classifier_of_two_labels_is_refused(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    with pytest.raises(ValueError, match="one label"):
        Critic.load(make_critic(model_type, num_labels=2), device="cpu")


def test_a_decoder_without_a_head_is_refused_with_the_name_of_what_is_missing(
    make_base: Callable[..., Path],
) -> None:
    with pytest.raises(ValueError, match=r"no reward model: it lacks score\.weight"):
        Critic.load(make_base(), device="cpu")


def test_an_encoder_without_a_head_is_refused_with_the_name_of_what_is_missing(
    bert_base: Path,
) -> None:
    with pytest.raises(ValueError, match=r"lacks classifier\.bias, classifier\.weight"):
        Critic.load(bert_base, device="cpu")


def test_a_body_that_lacks_a_weight_is_refused(own_folder: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(own_folder)
    weights = model.state_dict()
    del weights["model.layers.1.mlp.up_proj.weight"]
    model.save_pretrained(own_folder, state_dict=weights)
    with pytest.raises(ValueError, match=r"lacks model\.layers\.1\.mlp\.up_proj\.weight"):
        Critic.load(own_folder, device="cpu")


def test_weights_without_a_place_are_refused(own_folder: Path) -> None:
    edit_json(own_folder / "config.json", num_hidden_layers=1)
    with pytest.raises(ValueError, match=r"no place for.*model\.layers\.1"):
        Critic.load(own_folder, device="cpu")


# --- Pad tokens ---------------------------------------------------------------------------------


def save_with_pad(folder: Path, pad_token: str | None) -> None:
    """Make the checkpoint pad as many do: with EOS, or with nothing; its text ends with EOS."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = human_assistant_template(tokenizer)
    tokenizer.pad_token = pad_token
    tokenizer.save_pretrained(folder)
    edit_json(folder / "config.json", pad_token_id=tokenizer.pad_token_id)


@pytest.mark.parametrize("pad_token", ["<|im_end|>", None])
def test_a_critic_that_pads_with_eos_or_nothing_is_refused_with_a_remedy(
    own_folder: Path, no_weights: None, pad_token: str | None
) -> None:
    save_with_pad(own_folder, pad_token)
    with pytest.raises(ValueError, match="pad_token="):
        Critic.load(own_folder, device="cpu")


@pytest.mark.parametrize("pad_token", ["<|im_end|>", None])
def test_with_a_pad_token_of_its_own_it_scores_as_it_should(
    own_folder: Path, decoder: Critic, pad_token: str | None
) -> None:
    save_with_pad(own_folder, pad_token)
    critic = Critic.load(own_folder, device="cpu", pad_token="<|pad|>")
    form = human_assistant_template(decoder.tokenizer)
    straight = Critic.load(own_folder, device="cpu", pad_token="<|pad|>", chat_template=form)
    assert_near(critic.score(TALKS), one_by_one(straight, TALKS))
    ids = torch.tensor(encode(critic.tokenizer, TALKS[:1], 128)[0])
    hidden = critic.model.model(input_ids=ids).last_hidden_state
    at_the_end = critic.model.score(hidden)[0, -1, 0].item()
    assert critic.score(TALKS[:1])[0] == pytest.approx(at_the_end, abs=NEAR)


def test_a_pad_token_outside_the_vocabulary_is_refused(own_folder: Path, no_weights: None) -> None:
    with pytest.raises(ValueError, match=r"'<pad>' is not in the vocabulary"):
        Critic.load(own_folder, device="cpu", pad_token="<pad>")


def test_a_critic_built_by_hand_is_checked_too(own_critic: Critic) -> None:
    own_critic.tokenizer.pad_token = own_critic.tokenizer.eos_token
    with pytest.raises(ValueError, match="one token too early"):
        Critic(own_critic.model, own_critic.tokenizer, 128)


def test_the_trap_is_real_transformers_reads_one_token_too_early(
    own_folder: Path, own_critic: Critic
) -> None:
    """With pad = EOS transformers raises nothing, and scores the sequence without its end."""
    save_with_pad(own_folder, "<|im_end|>")
    tokenizer = AutoTokenizer.from_pretrained(own_folder)
    model = AutoModelForSequenceClassification.from_pretrained(own_folder).eval()
    ids = torch.tensor(encode(tokenizer, TALKS[1:2], 128)[0])
    assert ids[0, -1] == tokenizer.eos_token_id
    with torch.inference_mode():
        too_early = model(input_ids=ids).logits[0, 0].item()
        scores = model.score(model.model(input_ids=ids).last_hidden_state)[0, :, 0]
    right = Critic.load(own_folder, device="cpu", pad_token="<|pad|>").score(TALKS[1:2])[0]
    assert right == pytest.approx(scores[-1].item(), abs=NEAR)
    assert too_early == pytest.approx(scores[-2].item(), abs=NEAR)
    assert abs(too_early - right) > 100 * NEAR


# --- The checkpoint's template ------------------------------------------------------------------


def test_another_template_can_be_given(
    decoder_folder: Path, decoder: Critic, load_chatml: Callable[[], PreTrainedTokenizerBase]
) -> None:
    form = human_assistant_template(load_chatml())
    critic = Critic.load(decoder_folder, device="cpu", chat_template=form)
    tokenizer = load_chatml()
    tokenizer.chat_template = form
    expected = Critic(decoder.model, tokenizer, 128).score(TALKS)
    assert_near(critic.score(TALKS), expected)
    other = decoder.score(TALKS)
    assert min(abs(a - b) for a, b in zip(expected, other, strict=True)) > 100 * NEAR


def test_a_critic_without_a_template_says_what_to_set(own_folder: Path) -> None:
    (own_folder / "chat_template.jinja").unlink()
    with pytest.raises(ValueError, match="no chat template"):
        Critic.load(own_folder, device="cpu").score(TALKS)


# --- AReaL's reward models -----------------------------------------------------------------------


def save_as_areal(folder: Path, tokenizer: PreTrainedTokenizerBase, **saving: Any) -> Any:
    """A token classifier of one label, and the base model's config with the usual two."""
    config = AutoModelForSequenceClassification.from_pretrained(folder).config
    torch.manual_seed(1)
    model = AutoModelForTokenClassification.from_config(config).eval()
    with torch.no_grad():
        model.score.bias.fill_(0.75)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, **saving)
    edit_json(
        folder / "config.json",
        id2label={"0": "LABEL_0", "1": "LABEL_1"},
        label2id={"LABEL_0": 0, "LABEL_1": 1},
        architectures=["Qwen2ForTokenClassification"],
    )
    tokenizer.save_pretrained(folder)
    return model


@pytest.mark.parametrize("files", ["one file", "shards"])
def test_areals_checkpoint_loads_and_its_heads_bias_counts(
    make_critic: Callable[..., Path],
    load_chatml: Callable[[], PreTrainedTokenizerBase],
    files: str,
) -> None:
    tokenizer = load_chatml()
    tokenizer.chat_template = human_assistant_template(tokenizer)
    saving = {"max_shard_size": "20KB"} if files == "shards" else {}
    folder = make_critic("qwen2")
    model = save_as_areal(folder, tokenizer, **saving)
    assert (folder / "model.safetensors.index.json").exists() == (files == "shards")
    critic = Critic.load(folder, device="cpu")
    expected = []
    for ids in encode(tokenizer, TALKS, 128)[0]:
        with torch.inference_mode():
            expected.append(model(input_ids=torch.tensor([ids])).logits[0, -1, 0].item())
    assert_near(critic.score(TALKS), expected)
    assert critic.model.score.bias.item() == 0.75


def test_areals_checkpoint_survives_being_saved_again(
    make_critic: Callable[..., Path],
    load_chatml: Callable[[], PreTrainedTokenizerBase],
    tmp_path: Path,
) -> None:
    folder = make_critic("qwen2")
    save_as_areal(folder, load_chatml())
    critic = Critic.load(folder, device="cpu")
    critic.model.save_pretrained(tmp_path)
    critic.tokenizer.save_pretrained(tmp_path)
    assert_near(Critic.load(tmp_path, device="cpu").score(TALKS), critic.score(TALKS))
