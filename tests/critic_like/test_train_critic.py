"""Training: repeatable to the last bit, whatever interrupts it, and every option does what it says."""

import dataclasses
import json
import logging
import math
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from examples.critic_like import train_critic
from examples.critic_like.alignment_critic import MODEL_TYPES, Critic, pad_right
from examples.critic_like.bases import minilm
from examples.critic_like.conversations import encode, human_assistant_template
from examples.critic_like.measure import fit_temperature
from examples.critic_like.pairs import Pair, read_pairs, split_by_group
from examples.critic_like.train_critic import (
    Settings,
    bradley_terry_loss,
    calibrate,
    evaluate,
    fit,
    load_base,
    main,
    save,
)

WORDS = "the user asks and a helpful assistant answers that this is capital of France".split()


def learnable(count: int, seed: int = 0) -> list[Pair]:
    """Pairs whose better response holds `good` and whose worse one holds `bad`."""
    source = random.Random(seed)

    def response(word: str) -> str:
        words = source.sample(WORDS, source.randint(2, 6))
        words.insert(source.randint(0, len(words)), word)
        return " ".join(words)

    return [
        Pair(
            ({"role": "user", "content": f"{seed}-{i}?"},),
            response("good"),
            response("bad"),
            f"{seed}-{i}",
        )
        for i in range(count)
    ]


PAIRS = learnable(22)
FAST = Settings(
    learning_rate=1e-3, head_learning_rate=1e-2, epochs=2, batch_pairs=8, micro_batch_pairs=8,
    max_length=64,
)  # fmt: skip
Weights = dict[str, torch.Tensor]


def settings_with(**changes: Any) -> Settings:
    return dataclasses.replace(FAST, **changes)


def weights_of(model: PreTrainedModel) -> Weights:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def trained(base: Path, settings: Settings = FAST, pairs: Sequence[Pair] = PAIRS) -> Weights:
    model, tokenizer = load_base(base, settings)
    fit(model, tokenizer, pairs, settings)
    return weights_of(model)


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def largest_gap(one: Weights, other: Weights) -> float:
    """BERT's biases of keys do not count: they shift all of a row's logits alike, so their gradient
    is zero but for rounding, and AdamW makes steps of that."""
    assert one.keys() == other.keys()
    names = [name for name in one if not name.endswith("key.bias")]
    return max((one[name] - other[name]).abs().max().item() for name in names)


def assert_same_critic(one: Critic, other: Critic) -> None:
    """The same weights to the last bit. Scores may differ in it: where in memory a weight lies
    decides how a CPU groups a sum."""
    assert same(weights_of(one.model), weights_of(other.model))
    assert margins_of(one, PAIRS) == pytest.approx(margins_of(other, PAIRS), abs=1e-5)
    assert one.max_length == other.max_length


def critic_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Critic:
    return Critic(model, tokenizer, tokenizer.model_max_length)


def margins_of(critic: Critic, pairs: Sequence[Pair]) -> list[float]:
    scores = critic.score([conversation for pair in pairs for conversation in pair.conversations()])
    return [chosen - rejected for chosen, rejected in zip(scores[::2], scores[1::2], strict=True)]


@pytest.fixture(scope="session")
def llama_base(make_base: Callable[..., Path]) -> Path:
    return make_base("llama")


@pytest.fixture(scope="session")
def bases(llama_base: Path, bert_base: Path) -> dict[str, Path]:
    return {"decoder": llama_base, "encoder": bert_base}


KINDS = ["decoder", "encoder"]


# --- The loss ----------------------------------------------------------------------------------


def test_the_loss_worked_out_by_hand() -> None:
    loss = bradley_terry_loss(torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 0.0]))
    assert loss.item() == pytest.approx((math.log(1 + math.exp(-2)) + math.log(2)) / 2)


def test_the_centring_term_is_the_mean_squared_sum_of_the_scores() -> None:
    chosen, rejected = torch.tensor([1.0, 3.0]), torch.tensor([2.0, -1.0])
    plain = bradley_terry_loss(chosen, rejected)
    centred = bradley_terry_loss(chosen, rejected, 0.1)
    assert (centred - plain).item() == pytest.approx(0.1 * (3**2 + 2**2) / 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_the_loss_is_worked_out_in_float32(dtype: torch.dtype) -> None:
    """256 + 1 is no number of bfloat16."""
    chosen, rejected = torch.tensor([256.0], dtype=dtype), torch.tensor([1.0], dtype=dtype)
    loss = bradley_terry_loss(chosen, rejected, 1.0)
    assert loss.dtype == torch.float32
    assert loss.shape == ()
    assert loss.item() == 257**2


def test_the_loss_of_scores_far_apart_is_finite() -> None:
    chosen = torch.tensor([-1e4], requires_grad=True)
    loss = bradley_terry_loss(chosen, torch.tensor([1e4]))
    loss.backward()
    assert loss.item() == 2e4
    assert chosen.grad is not None
    assert chosen.grad.item() == -1


# --- The base ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_gets_a_head_of_one_label_and_keeps_its_body(
    bases: dict[str, Path], kind: str
) -> None:
    model, _ = load_base(bases[kind], FAST)
    assert model.config.num_labels == 1
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    body = AutoModel.from_pretrained(bases[kind]).state_dict()
    own = model.base_model.state_dict()
    assert all(torch.equal(own[name], value) for name, value in body.items())


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides_the_head(bases: dict[str, Path], kind: str) -> None:
    first, again, other = (
        weights_of(load_base(bases[kind], settings_with(seed=seed))[0]) for seed in (0, 0, 1)
    )
    assert same(first, again)
    assert not same(first, other)


def test_a_base_of_a_type_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    config = AutoConfig.for_model(
        "albert", vocab_size=99, hidden_size=8, embedding_size=8, num_attention_heads=2,
        intermediate_size=8, num_hidden_layers=1,
    )  # fmt: skip
    AutoModel.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="model_type 'albert'"):
        load_base(tmp_path, FAST)


def test_a_chat_template_is_kept_where_there_is_one(llama_base: Path) -> None:
    own = AutoTokenizer.from_pretrained(llama_base).chat_template
    assert load_base(llama_base, FAST)[1].chat_template == own
    _, tokenizer = load_base(llama_base, settings_with(human_assistant=True))
    assert tokenizer.chat_template == human_assistant_template(tokenizer)


def test_a_base_without_a_chat_template_gets_the_human_assistant_form(bert_base: Path) -> None:
    _, tokenizer = load_base(bert_base, FAST)
    assert tokenizer.chat_template == human_assistant_template(tokenizer)
    _, tokenizer = load_base(bert_base, settings_with(last_messages=2))
    assert tokenizer.chat_template == human_assistant_template(tokenizer, 2)


def test_reading_the_last_messages_only_needs_that_form(llama_base: Path) -> None:
    with pytest.raises(ValueError, match="last_messages needs human_assistant"):
        load_base(llama_base, settings_with(last_messages=2))
    _, tokenizer = load_base(llama_base, settings_with(last_messages=2, human_assistant=True))
    assert tokenizer.chat_template == human_assistant_template(tokenizer, 2)


def test_a_base_that_pads_with_eos_gets_a_pad_token_of_its_own(
    make_base: Callable[..., Path], tmp_path: Path
) -> None:
    base = make_base("llama", pad_token="<|im_end|>")
    before = AutoTokenizer.from_pretrained(base)
    assert before.pad_token_id == before.eos_token_id
    model, tokenizer = load_base(base, FAST)
    assert tokenizer.pad_token == "<|pad|>"
    assert tokenizer.pad_token_id == model.config.pad_token_id == len(before)
    assert model.get_input_embeddings().num_embeddings == len(before) + 1
    fit(model, tokenizer, PAIRS, FAST)
    critic = critic_of(model, tokenizer)
    save(critic, tmp_path, "")
    assert_same_critic(Critic.load(tmp_path, device="cpu"), critic)


def test_a_base_without_a_pad_token_gets_one_that_its_vocabulary_holds(
    llama_base: Path, tmp_path: Path
) -> None:
    AutoModel.from_pretrained(llama_base).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(llama_base)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path)
    model, tokenizer = load_base(tmp_path, FAST)
    assert tokenizer.pad_token == "<|pad|>"
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_no_listed_architecture_trains_with_dropout(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    names = [
        name
        for name, value in AutoConfig.for_model(model_type).to_dict().items()
        if "drop" in name and not isinstance(value, bool)
    ]
    assert names
    model, tokenizer = load_base(make_critic(model_type, **dict.fromkeys(names, 0.5)), FAST)
    assert {getattr(model.config, name) for name in names} == {0}
    ids = torch.tensor(encode(tokenizer, PAIRS[0].conversations()[:1], 64)[0])
    model.train()
    with torch.no_grad():
        passes = [model(input_ids=ids).logits for _ in range(3)]
    assert torch.equal(passes[0], passes[1])
    assert torch.equal(passes[0], passes[2])


LAYER = (".0.", ".1.")  # the names of what belongs to the first and to the second layer


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_the_lowest_layers_can_be_kept_alone(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    base = make_critic(model_type)
    before = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    model, _ = load_base(base, settings_with(keep_layers=1))
    after = model.state_dict()
    assert any(LAYER[1] in name for name in before)
    assert after.keys() == {name for name in before if LAYER[1] not in name}
    assert all(torch.equal(after[name], before[name]) for name in after)
    assert model.config.num_hidden_layers == 1


def test_layers_that_the_base_does_not_have_are_refused(llama_base: Path) -> None:
    with pytest.raises(ValueError, match="freeze_layers is 3, and the model has 2"):
        load_base(llama_base, settings_with(freeze_layers=3))
    with pytest.raises(ValueError, match="keep_layers"):
        load_base(llama_base, settings_with(keep_layers=3))  # the third would be random


# --- The mean of the tokens ---------------------------------------------------------------------


def test_mean_pooling_reads_the_mean_of_the_tokens_where_cls_is_read() -> None:
    """Over [CLS] itself, and normalised, as BERT's layers are; padding does not count."""
    plain, tokenizer = load_base(minilm(), FAST)
    pooling, _ = load_base(minilm(), settings_with(mean_pooling=True))
    talks = [pair.conversations()[0] for pair in PAIRS[:4]]
    talks += [[{"role": "assistant", "content": "Paris, of course. " * n}] for n in (1, 9)]
    ids, mask = pad_right(encode(tokenizer, talks, 64)[0], tokenizer.pad_token_id)
    with torch.inference_mode():
        hidden = plain.eval().bert(ids, attention_mask=mask).last_hidden_state
        pooled = pooling.eval().bert(ids, attention_mask=mask)
    cls, where = hidden[:, 0], mask.unsqueeze(-1)
    mean = (hidden * where).sum(1) / where.sum(1)
    expected = torch.nn.functional.layer_norm(cls + 4 * mean, cls.shape[1:], eps=1e-12)
    read = pooled.last_hidden_state[:, 0]
    assert (read - expected).abs().max() < 1e-4
    assert (pooled.pooler_output - torch.tanh(expected / 4)).abs().max() < 1e-4
    to_mean = torch.cosine_similarity(read, mean)
    assert to_mean.min() > 0.85
    assert (to_mean > torch.cosine_similarity(cls, mean) + 0.1).all()


def test_a_critic_with_mean_pooling_is_an_ordinary_bert_to_whoever_loads_it(
    bert_base: Path, tmp_path: Path
) -> None:
    settings = settings_with(mean_pooling=True)
    model, tokenizer = load_base(bert_base, settings)
    assert model.config.num_hidden_layers == 3
    fit(model, tokenizer, PAIRS, settings)
    critic = critic_of(model, tokenizer)
    save(critic, tmp_path, "")
    assert_same_critic(Critic.load(tmp_path, device="cpu"), critic)


def test_mean_pooling_is_refused_for_a_decoder(llama_base: Path) -> None:
    with pytest.raises(ValueError, match="mean_pooling is for BERT, not for llama"):
        load_base(llama_base, settings_with(mean_pooling=True))


# --- What training does -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_can_be_learnt_is_learnt(bases: dict[str, Path], kind: str) -> None:
    settings = settings_with(epochs=4)
    model, tokenizer = load_base(bases[kind], settings)
    held_out = learnable(60, seed=1)
    before = evaluate(critic_of(model, tokenizer), held_out).accuracy
    fit(model, tokenizer, learnable(120), settings)
    assert not model.training
    report = evaluate(critic_of(model, tokenizer), held_out)
    assert before < 0.8
    assert report.accuracy > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    bases: dict[str, Path], kind: str
) -> None:
    first, again = trained(bases[kind]), trained(bases[kind])
    assert same(first, again)
    assert not same(first, trained(bases[kind], settings_with(seed=1)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("micro_batch_pairs", [1, 2, 3])
def test_smaller_passes_change_nothing(
    bases: dict[str, Path], kind: str, micro_batch_pairs: int
) -> None:
    """22 pairs in steps of 8: the last step of an epoch is smaller."""
    slow = settings_with(learning_rate=1e-4)
    parts = dataclasses.replace(slow, micro_batch_pairs=micro_batch_pairs)
    assert largest_gap(trained(bases[kind], slow), trained(bases[kind], parts)) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("freeze_layers", [0, 1])
def test_gradient_checkpointing_changes_nothing(
    bases: dict[str, Path], kind: str, freeze_layers: int
) -> None:
    plain = trained(bases[kind], settings_with(freeze_layers=freeze_layers))
    saving = settings_with(freeze_layers=freeze_layers, gradient_checkpointing=True)
    assert largest_gap(plain, trained(bases[kind], saving)) < 1e-5


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_frozen_layers_and_embeddings_stay_as_they_are(
    make_critic: Callable[..., Path], model_type: str
) -> None:
    settings = settings_with(freeze_layers=1, epochs=1)
    base = make_critic(model_type)
    before = weights_of(load_base(base, settings)[0])
    after = trained(base, settings)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    embeddings = {name for name in before if any(key in name for key in ("embed", "wte", "wpe"))}
    frozen = embeddings | {name for name in before if LAYER[0] in name}
    assert embeddings
    assert not frozen & changed
    assert any(LAYER[1] in name for name in changed)
    assert any(name.startswith(("score", "classifier")) for name in changed)


def test_weights_and_scores_are_finite_and_near_zero_on_average(llama_base: Path) -> None:
    """The loss sees differences only; the centring term keeps the scores themselves in place."""
    means = []
    for center in (0.0, 0.1):
        settings = settings_with(epochs=6, center=center)
        model, tokenizer = load_base(llama_base, settings)
        fit(model, tokenizer, PAIRS, settings)
        means.append(abs(evaluate(critic_of(model, tokenizer), PAIRS).mean_score))
    assert means[1] < means[0]
    assert means[1] < 0.5


def test_conversations_that_are_cut_are_logged(
    llama_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_with(max_length=20, epochs=1)
    model, tokenizer = load_base(llama_base, settings)
    fit(model, tokenizer, PAIRS, settings)
    assert "of 44 conversations lose their beginning" in caplog.text


# --- Pairs that a model cannot tell apart ------------------------------------------------------

TAIL = " and so on, word after word, until the end of the page is reached." * 6
CUT_OFF = Pair(
    ({"role": "user", "content": "Question 1: is it safe?"},),
    f"It is unsafe, do not do it.{TAIL}",
    f"It is safe, go ahead.{TAIL}",
    "cut off",
)
ALIKE = [  # to MiniLM's tokenizer
    ("Paris is the capital.", "paris is the capital."),
    ("One.\nTwo.", "One. Two."),
    ("Café", "Cafe"),
    ("天空是蓝色的", "天空是绿色的"),
]


def alike(count: int = len(ALIKE)) -> list[Pair]:
    asked = ({"role": "user", "content": "Which?"},)
    return [Pair(asked, *responses, str(n)) for n, responses in enumerate(ALIKE[:count])]


def test_pairs_of_the_same_tokens_are_not_trained_on(
    bert_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = trained(bert_base)
    assert "left out" not in caplog.text
    mixed = trained(bert_base, FAST, [CUT_OFF, *PAIRS[:9], *alike(), *PAIRS[9:]])
    assert same(mixed, plain)  # as if they were not there
    (record,) = [one for one in caplog.records if "left out" in one.getMessage()]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        "5 of 27 pairs are left out, since both responses are the same tokens: in 1, max_length=64 "
        "cuts off where they differ; in 4, the tokenizer does not see the difference"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_pair_is_left_nothing_is_trained(bases: dict[str, Path], kind: str) -> None:
    settings = settings_with(max_length=48)
    model, tokenizer = load_base(bases[kind], settings)
    before = weights_of(model)
    with pytest.raises(ValueError, match=r"no pair is left: 4 of 4 pairs .* max_length=48 cuts"):
        fit(model, tokenizer, [CUT_OFF] * 4, settings)
    assert same(weights_of(model), before)


def test_pairs_of_the_same_tokens_are_no_wins_and_no_losses(
    bert_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokenizer = load_base(bert_base, FAST)
    fit(model, tokenizer, PAIRS, FAST)
    critic = critic_of(model, tokenizer)
    plain = evaluate(critic, PAIRS)
    assert plain.same_tokens == 0
    mixed = evaluate(critic, [*PAIRS, CUT_OFF, *alike()])
    assert mixed == dataclasses.replace(plain, same_tokens=5)
    assert "same tokens        5 more pairs, left out" in str(mixed)
    assert "same tokens" not in str(plain)
    assert "5 of 27 pairs are left out" in caplog.text
    with pytest.raises(ValueError, match="no pair is left: 4 of 4"):
        evaluate(critic, alike())


def test_pairs_of_the_same_tokens_do_not_calibrate(bert_base: Path) -> None:
    temperatures = []
    for more in ([], [CUT_OFF, *alike()]):
        model, tokenizer = load_base(bert_base, FAST)
        fit(model, tokenizer, PAIRS, FAST)
        critic = critic_of(model, tokenizer)
        weight = weights_of(model)["classifier.weight"]
        with pytest.raises(ValueError, match="no pair is left: 4 of 4"):
            calibrate(critic, alike())
        assert torch.equal(weight, weights_of(model)["classifier.weight"])
        calibrate(critic, [*learnable(12, seed=9), *more])
        temperatures.append(weights_of(model)["classifier.bias"])
    assert torch.equal(*temperatures)


def test_the_command_does_not_train_for_a_test_that_cannot_be(
    bert_base: Path, forty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_critic, "fit", lambda *_: pytest.fail("trained"))
    test = write_pairs(tmp_path / "test.jsonl", alike())
    with pytest.raises(ValueError, match="no pair is left"):
        main(command(bert_base, forty, tmp_path / "critic", "--test-pairs", str(test)))


def test_a_tokenizer_that_does_not_know_the_language_is_logged(
    bert_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_with(epochs=1)
    model, tokenizer = load_base(bert_base, settings)
    fit(model, tokenizer, PAIRS, settings)
    assert "does not know" not in caplog.text
    chinese = [
        dataclasses.replace(pair, chosen="厨房里的刀很锋利，请您小心", rejected="膝盖疼痛")
        for pair in PAIRS
    ]
    fit(model, tokenizer, chinese, settings)
    assert "the tokenizer does not know" in caplog.text


# --- The head alone, first ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_is_fitted_alone_is_the_best_for_its_penalty(
    bases: dict[str, Path], kind: str
) -> None:
    """With rates of zero the head is all that changes."""
    settings = settings_with(head_penalty=0.01, learning_rate=0.0, head_learning_rate=0.0, epochs=1)
    model, tokenizer = load_base(bases[kind], settings)
    before = weights_of(model)
    fit(model, tokenizer, PAIRS, settings)
    after = weights_of(model)
    heads = {name for name in before if name.startswith(("score.", "classifier."))}
    assert {name for name in before if not torch.equal(before[name], after[name])} == heads
    (weight,) = (after[name] for name in heads if name.endswith(".weight"))
    margins = torch.tensor(margins_of(critic_of(model, tokenizer), PAIRS))

    def objective(scale: float) -> float:
        loss = bradley_terry_loss(scale * margins, torch.zeros_like(margins))
        return (loss + 0.01 * (scale * weight).square().sum()).item()

    assert objective(1.0) < min(objective(0.9), objective(1.1), objective(0.0))
    if kind == "encoder":
        mean = evaluate(critic_of(model, tokenizer), PAIRS).mean_score
        assert mean == pytest.approx(0, abs=1e-4)


def test_a_larger_penalty_gives_a_smaller_head(llama_base: Path) -> None:
    sizes = []
    for penalty in (0.001, 0.01, 0.1, 1.0):
        settings = settings_with(
            head_penalty=penalty, learning_rate=0.0, head_learning_rate=0.0, epochs=1
        )
        sizes.append(trained(llama_base, settings)["score.weight"].norm().item())
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


# --- Interruptions ------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def fit_until(
    step: int, base: Path, settings: Settings, checkpoint: Path, save_steps: int = 2
) -> None:
    """Train, and be interrupted in the pass of this step."""
    model, tokenizer = load_base(base, settings)
    passes = iter(range(step))

    def interrupt(module: torch.nn.Module, *_: Any) -> None:
        if module.training and next(passes, None) is None:
            raise Interrupted

    hook = model.register_forward_pre_hook(interrupt)
    with pytest.raises(Interrupted):
        fit(model, tokenizer, PAIRS, settings, checkpoint, save_steps)
    hook.remove()


def fit_to_the_end(base: Path, settings: Settings, checkpoint: Path) -> Weights:
    model, tokenizer = load_base(base, settings)
    fit(model, tokenizer, PAIRS, settings, checkpoint, 2)
    return weights_of(model)


INTERRUPTED_SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "decoder": ("decoder", {}),
    "encoder": ("encoder", {}),
    "frozen layers": ("encoder", {"freeze_layers": 1}),
    "mean pooling": ("encoder", {"mean_pooling": True, "keep_layers": 1}),
    "a head fitted first": ("decoder", {"head_penalty": 0.01}),
    "small passes": ("decoder", {"gradient_checkpointing": True}),
}


@pytest.mark.parametrize("name", INTERRUPTED_SETTINGS)
def test_an_interrupted_run_ends_with_the_same_weights(
    bases: dict[str, Path], name: str, tmp_path: Path
) -> None:
    kind, changes = INTERRUPTED_SETTINGS[name]
    settings = settings_with(**changes)
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(3, bases[kind], settings, checkpoint)
    assert checkpoint.exists()
    resumed = fit_to_the_end(bases[kind], settings, checkpoint)
    assert same(resumed, trained(bases[kind], settings))


@pytest.mark.parametrize("step", [0, 1, 2, 4, 5])
def test_a_run_may_be_interrupted_at_any_step(llama_base: Path, step: int, tmp_path: Path) -> None:
    """Steps are saved two by two, and after each epoch of three."""
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(step, llama_base, FAST, checkpoint)
    assert checkpoint.exists() == (step >= 2)
    assert same(fit_to_the_end(llama_base, FAST, checkpoint), trained(llama_base))


def test_a_run_may_be_interrupted_again_and_again(llama_base: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    for _ in range(2):
        fit_until(2, llama_base, FAST, checkpoint, save_steps=1)
    resumed = fit_to_the_end(llama_base, FAST, checkpoint)
    assert same(resumed, trained(llama_base))


def test_a_run_with_a_pad_token_of_its_own_is_continued(
    make_base: Callable[..., Path], tmp_path: Path
) -> None:
    base = make_base("llama", pad_token="<|im_end|>")
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(3, base, FAST, checkpoint)
    assert same(fit_to_the_end(base, FAST, checkpoint), trained(base))


def test_a_finished_run_is_not_trained_further(llama_base: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    first = fit_to_the_end(llama_base, FAST, checkpoint)
    content = checkpoint.read_bytes()
    assert same(fit_to_the_end(llama_base, FAST, checkpoint), first)
    assert checkpoint.read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"learning_rate": 2e-3}, {"epochs": 3}, {"freeze_layers": 1}]
)
def test_a_checkpoint_of_other_settings_is_refused(
    llama_base: Path, changes: dict[str, Any], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(3, llama_base, FAST, checkpoint)
    with pytest.raises(ValueError, match="other pairs, settings or model"):
        fit_to_the_end(llama_base, settings_with(**changes), checkpoint)


def test_a_checkpoint_of_other_pairs_is_refused(llama_base: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(3, llama_base, FAST, checkpoint)
    model, tokenizer = load_base(llama_base, FAST)
    with pytest.raises(ValueError, match="other pairs, settings or model"):
        fit(model, tokenizer, PAIRS[::-1], FAST, checkpoint)


@pytest.mark.parametrize(
    "other", [{"num_hidden_layers": 1}, {"seed": 1}], ids=["other shape", "other weights"]
)
def test_a_checkpoint_of_another_model_is_refused(
    llama_base: Path, make_base: Callable[..., Path], other: dict[str, int], tmp_path: Path
) -> None:
    """Frozen layers are not in the checkpoint: with another base, they would be the other's."""
    settings = settings_with(freeze_layers=1)
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(3, llama_base, settings, checkpoint)
    with pytest.raises(ValueError, match="other pairs, settings or model"):
        fit_to_the_end(make_base("llama", **other), settings, checkpoint)


# --- A loss that is no number -------------------------------------------------------------------


def test_a_loss_that_is_no_longer_finite_stops_the_run_and_leaves_the_checkpoint(
    llama_base: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    fit_until(3, llama_base, FAST, checkpoint)
    content = checkpoint.read_bytes()
    model, tokenizer = load_base(llama_base, FAST)
    passes = iter(range(1))

    def poison(module: torch.nn.Module, *_: Any) -> None:
        if module.training and next(passes, None) is None:
            torch.nn.init.constant_(module.score.weight, math.nan)

    model.register_forward_pre_hook(poison)
    with pytest.raises(FloatingPointError, match="the loss is nan; lower the learning rate"):
        fit(model, tokenizer, PAIRS, FAST, checkpoint, 1000)
    assert checkpoint.read_bytes() == content
    assert same(fit_to_the_end(llama_base, FAST, checkpoint), trained(llama_base))


def test_an_absurd_learning_rate_stops_the_run(llama_base: Path, tmp_path: Path) -> None:
    settings = settings_with(learning_rate=1e30, head_learning_rate=1e30, epochs=4)
    model, tokenizer = load_base(llama_base, settings)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        fit(model, tokenizer, PAIRS, settings, tmp_path / "checkpoint.safetensors", 1000)


def test_a_broken_base_stops_the_run_before_anything_is_saved(
    llama_base: Path, tmp_path: Path
) -> None:
    model, tokenizer = load_base(llama_base, FAST)
    torch.nn.init.constant_(model.model.layers[0].mlp.up_proj.weight, math.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        fit(model, tokenizer, PAIRS, FAST, tmp_path / "checkpoint.safetensors", 1)
    assert not list(tmp_path.iterdir())


# --- Calibration --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hard_pairs() -> list[Pair]:
    """Half of them cannot be learnt, so a critic is often wrong, and its temperature is inside
    its bounds."""
    source = random.Random(7)
    return [
        dataclasses.replace(pair, chosen=pair.rejected, rejected=pair.chosen)
        if source.random() < 0.3
        else pair
        for pair in learnable(60, seed=7)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_calibrating_divides_the_margins_by_the_temperature(
    bases: dict[str, Path], kind: str, hard_pairs: list[Pair], tmp_path: Path
) -> None:
    model, tokenizer = load_base(bases[kind], FAST)
    fit(model, tokenizer, PAIRS, FAST)
    critic = critic_of(model, tokenizer)
    before = margins_of(critic, hard_pairs)
    error = evaluate(critic, hard_pairs).calibration_error
    temperature = calibrate(critic, hard_pairs)
    assert temperature == fit_temperature(before)
    assert 0.05 < temperature < 50
    assert abs(temperature - 1) > 0.1
    after = margins_of(critic, hard_pairs)
    assert after == pytest.approx([m / temperature for m in before], abs=1e-5)
    assert [m > 0 for m in after] == [m > 0 for m in before]
    assert evaluate(critic, hard_pairs).calibration_error < error
    save(critic, tmp_path, "")
    assert_same_critic(Critic.load(tmp_path, device="cpu"), critic)


def test_calibrating_centres_a_head_with_a_bias(
    bases: dict[str, Path], hard_pairs: list[Pair]
) -> None:
    model, tokenizer = load_base(bases["encoder"], FAST)
    torch.nn.init.constant_(model.classifier.bias, 3.0)
    critic = critic_of(model, tokenizer)
    assert evaluate(critic, hard_pairs).mean_score > 1
    calibrate(critic, hard_pairs)
    assert evaluate(critic, hard_pairs).mean_score == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_every_listed_architecture_can_be_calibrated(
    make_critic: Callable[..., Path], model_type: str, hard_pairs: list[Pair]
) -> None:
    critic = Critic.load(make_critic(model_type), device="cpu", max_length=100)
    before = margins_of(critic, hard_pairs)
    temperature = calibrate(critic, hard_pairs)
    after = margins_of(critic, hard_pairs)
    assert after == pytest.approx([m / temperature for m in before], abs=1e-4, rel=1e-4)


def test_a_critic_that_gives_no_numbers_is_not_calibrated(llama_base: Path) -> None:
    model, tokenizer = load_base(llama_base, FAST)
    torch.nn.init.constant_(model.score.weight, math.nan)
    with pytest.raises(ValueError, match="not finite"):
        calibrate(critic_of(model, tokenizer), PAIRS)
    with pytest.raises(ValueError, match="not finite"):
        evaluate(critic_of(model, tokenizer), PAIRS)


# --- The command --------------------------------------------------------------------------------


def write_pairs(path: Path, pairs: Sequence[Pair], *bad: Any) -> Path:
    rows = [
        {
            "prompt": pair.prompt[0]["content"],
            "chosen": pair.chosen,
            "rejected": pair.rejected,
            "group": pair.group,
        }
        for pair in pairs
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, *bad]), encoding="utf-8")
    return path


OPTIONS = (
    "--device cpu --learning-rate 1e-3 --head-learning-rate 1e-2 --epochs 3 --batch-pairs 8 "
    "--max-length 64"
).split()


def command(base: Path, pairs: Path, out: Path, *more: str) -> list[str]:
    return ["--base", str(base), "--pairs", str(pairs), "--out", str(out), *OPTIONS, *more]


@pytest.fixture
def forty(tmp_path: Path) -> Path:
    """40 pairs and two rows that are none."""
    bad = [{"prompt": "Hi", "chosen": "", "rejected": "What?"}, ["no", "pair"]]
    return write_pairs(tmp_path / "forty.jsonl", learnable(40), *bad)


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_trains_measures_and_saves_a_critic(
    bases: dict[str, Path],
    kind: str,
    forty: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "runs" / "critic"
    report = main(command(bases[kind], forty, out))
    files = {path.name for path in out.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= files
    assert not [name for name in files if "checkpoint" in name or name.endswith((".bin", ".pt"))]

    printed = capsys.readouterr().out
    assert "left out: forty.jsonl:41: the chosen response is empty" in printed
    assert "left out: forty.jsonl:42: the row needs the fields chosen and rejected" in printed
    assert "28 pairs to train on, 4 to calibrate, 8 to test" in printed
    assert str(report) in printed

    _, _, test = split_by_group(read_pairs(forty)[0], [0.1, 0.2], 0)
    again = evaluate(Critic.load(out, device="cpu"), test)
    assert (again.pairs, again.accuracy) == (report.pairs, report.accuracy)
    assert again.calibration_error == pytest.approx(report.calibration_error, abs=1e-5)
    assert report.pairs == 8


def test_the_card_says_from_what_how_and_how_good(
    llama_base: Path, forty: Path, tmp_path: Path
) -> None:
    out = tmp_path / "critic"
    report = main(command(llama_base, forty, out, "--seed", "5", "--center", "0.03"))
    card = (out / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert str(llama_base) in card
    assert str(forty) in card
    assert "40 pairs, 2 rows left out" in card
    assert "10% calibrate the critic" in card
    assert "tested on 20% of them" in card
    for line in ("- seed: 5", "- center: 0.03", "- learning_rate: 0.001", "- epochs: 3"):
        assert line in card
    assert "temperature that the head was divided by" in card
    assert str(report) in card


def test_the_card_names_the_file_that_was_tested_on(
    llama_base: Path, forty: Path, tmp_path: Path
) -> None:
    other = write_pairs(tmp_path / "held_out.jsonl", learnable(12, seed=3))
    out = tmp_path / "critic"
    report = main(command(llama_base, forty, out, "--test-pairs", str(other)))
    assert report.pairs == 12
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "held_out.jsonl" in card
    assert "0% to test" not in card


def test_the_command_refuses_a_folder_that_holds_a_model(
    llama_base: Path, forty: Path, decoder_folder: Path
) -> None:
    content = (decoder_folder / "model.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="already holds a model"):
        main(command(llama_base, forty, decoder_folder))
    assert (decoder_folder / "model.safetensors").read_bytes() == content


def test_the_same_command_again_continues_an_interrupted_run(
    llama_base: Path, forty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    expected = main(command(llama_base, forty, whole))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train_critic, "calibrate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(command(llama_base, forty, broken))
    assert [path.name for path in broken.iterdir()] == ["checkpoint.safetensors"]
    assert main(command(llama_base, forty, broken)) == expected
    name = "model.safetensors"
    assert (broken / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("share", ["--calibration", "--test"])
def test_a_share_that_leaves_no_pairs_is_refused_before_training(
    llama_base: Path, forty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    monkeypatch.setattr(train_critic, "fit", lambda *_, **__: pytest.fail("it was trained"))
    with pytest.raises((SystemExit, ValueError), match=share.removeprefix("--")):
        main(command(llama_base, forty, tmp_path / "critic", share, "0"))


def test_options_for_the_model_reach_it(bert_base: Path, forty: Path, tmp_path: Path) -> None:
    out = tmp_path / "critic"
    options = [
        "--mean-pooling",
        "--keep-layers",
        "1",
        "--freeze-layers",
        "1",
        "--last-messages",
        "2",
    ]
    main(command(bert_base, forty, out, *options))
    config = json.loads((out / "config.json").read_text())
    assert config["num_hidden_layers"] == 2  # the layer that is kept, and the mean
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.model_max_length == 64
    assert tokenizer.chat_template == human_assistant_template(tokenizer, 2)


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for field in dataclasses.fields(Settings):
        assert f"--{field.name.replace('_', '-')}" in printed


def test_training_logs_nothing_where_all_is_well(
    llama_base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        trained(llama_base)
    assert not [record for record in caplog.records if record.name.startswith("examples.")]


@pytest.mark.parametrize("name", ["batch_pairs", "micro_batch_pairs", "max_length"])
def test_a_setting_below_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        settings_with(**{name: 0})


def test_no_epochs_leave_a_critic_and_no_error(
    llama_base: Path, forty: Path, tmp_path: Path
) -> None:
    main(command(llama_base, forty, tmp_path / "critic", "--epochs", "0"))
    assert (tmp_path / "critic" / "model.safetensors").exists()


@pytest.mark.parametrize("key", ["auto_map", "_attn_implementation"])
def test_a_base_with_code_of_its_own_is_refused(llama_base: Path, tmp_path: Path, key: str) -> None:
    base = shutil.copytree(llama_base, tmp_path / "base")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | {key: "evil/code"}), encoding="utf-8")
    with pytest.raises(ValueError, match=key):
        load_base(base, FAST)
