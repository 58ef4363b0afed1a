"""The small policy: its tokenizer loses nothing, and it is what `from_pretrained` finds again."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from examples.training.small_policy import make_tokenizer, messages, teach_format
from examples.training.word_problems import make_problems

PROBLEMS = make_problems(30, seed=0)
TOKENIZER = make_tokenizer([f"{problem.question}\n{problem.answer}" for problem in PROBLEMS])
SPECIAL = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>")


def ids(text: str, tokenizer: PreTrainedTokenizerFast = TOKENIZER) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


# --- The tokenizer -------------------------------------------------------------------------------


@given(st.text() | st.text("0123456789 .,#*+-=\n") | st.text("答案是七十二½٣\u0301\x00\r\t  "))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert TOKENIZER.decode(ids(text)) == text


@given(st.integers(0, 10**12), st.text("abc $"))
def test_every_digit_is_a_token_of_its_own(number: int, beside: str) -> None:
    tokens = [TOKENIZER.decode([token]) for token in ids(f"{beside}{number}{beside}")]
    assert [token for token in tokens if any(c.isdigit() for c in token)] == list(str(number))


def test_a_digit_is_the_same_token_wherever_it_stands() -> None:
    assert {token for digit in range(10) for token in ids(str(digit))} <= set(ids("x9 8 7=6543210"))
    assert all(len(ids(str(digit))) == 1 for digit in range(10))


def test_words_of_the_problems_are_single_tokens() -> None:
    assert len(TOKENIZER) == 400
    assert len(ids(PROBLEMS[0].question)) < len(PROBLEMS[0].question) / 1.5


@given(st.text().filter(lambda text: not any(special in text for special in SPECIAL)))
def test_only_the_template_makes_special_tokens(text: str) -> None:
    assert not set(ids(text)) & set(TOKENIZER.convert_tokens_to_ids(list(SPECIAL)))


def test_the_special_tokens() -> None:
    assert TOKENIZER.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2, 3]
    assert (TOKENIZER.pad_token, TOKENIZER.eos_token) == ("<|pad|>", "<|end|>")
    assert (TOKENIZER.pad_token_id, TOKENIZER.eos_token_id) == (0, 1)


def test_padding_is_on_the_left_where_a_policy_goes_on_writing() -> None:
    batch = TOKENIZER(["72", "7"], padding=True)
    assert batch["input_ids"][1][0] == TOKENIZER.pad_token_id
    assert batch["attention_mask"] == [[1, 1], [0, 1]]


def test_the_chat_template() -> None:
    prompt = messages("8 * 9?")
    dialogue = [*prompt, {"role": "assistant", "content": "#### 72"}]

    def written(chat: list[dict[str, str]], prompted: bool = False) -> object:
        return TOKENIZER.apply_chat_template(chat, tokenize=False, add_generation_prompt=prompted)

    assert written(prompt) == "<|user|>8 * 9?"
    assert written(prompt, True) == "<|user|>8 * 9?<|assistant|>"
    assert written(dialogue) == "<|user|>8 * 9?<|assistant|>#### 72<|end|>"


def test_the_prompt_in_tokens_is_the_prompt_in_text() -> None:
    """Training encodes the text; generation, the messages: the policy must see the same tokens."""
    encoded = TOKENIZER.apply_chat_template(
        messages("8 * 9?"), add_generation_prompt=True, return_dict=True
    )
    assert encoded["input_ids"] == ids("<|user|>8 * 9?<|assistant|>")


def test_a_tokenizer_of_other_texts_still_reads_everything() -> None:
    tokenizer = make_tokenizer([], vocabulary=280)
    assert tokenizer.decode(ids("8 × 9 = 七十二", tokenizer)) == "8 × 9 = 七十二"


# --- The policy ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    folder = tmp_path_factory.mktemp("policy")
    return folder, teach_format(folder, PROBLEMS, seed=0, steps=5)


def test_a_policy_is_saved_as_safetensors_with_its_tokenizer(taught: tuple[Path, float]) -> None:
    folder, loss = taught
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "generation_config.json"} <= names
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in names)
    assert 0 < loss < 10


def test_what_was_saved_is_loaded_and_answers(taught: tuple[Path, float]) -> None:
    folder, _ = taught
    model = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer) == model.get_input_embeddings().num_embeddings
    assert sum(weight.numel() for weight in model.parameters()) < 500_000
    assert (tokenizer.padding_side, tokenizer.eos_token) == ("left", "<|end|>")
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.max_new_tokens == 40
    prompt = tokenizer.apply_chat_template(
        messages(PROBLEMS[0].question),
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    )
    made = model.generate(**prompt, max_new_tokens=3, do_sample=False)
    assert prompt["input_ids"].shape[1] < made.shape[1] <= prompt["input_ids"].shape[1] + 3


def test_the_tokenizer_that_is_loaded_reads_as_the_one_that_was_saved(
    taught: tuple[Path, float],
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(taught[0])
    for text in ("8 * 9 = 72\n#### 72", "  two  spaces , a comma .", "答案是72。"):
        assert tokenizer.decode(ids(text, tokenizer)) == text


def test_the_same_seed_gives_the_same_weights(taught: tuple[Path, float], tmp_path: Path) -> None:
    folder, loss = taught
    torch.manual_seed(99)  # whatever was drawn before
    assert teach_format(tmp_path / "same", PROBLEMS, seed=0, steps=5) == loss
    teach_format(tmp_path / "other", PROBLEMS, seed=1, steps=5)
    file = "model.safetensors"
    assert (tmp_path / "same" / file).read_bytes() == (folder / file).read_bytes()
    assert (tmp_path / "other" / file).read_bytes() != (folder / file).read_bytes()


def test_teaching_lowers_the_loss(taught: tuple[Path, float], tmp_path: Path) -> None:
    later = teach_format(tmp_path, PROBLEMS, seed=0, steps=40)
    assert later < taught[1] < 6
    assert later < 3
