r"""Conversations, and the token ids that a critic reads of them.

A conversation is a list of messages in the shape of the OpenAI API, the last one the response to
score. The tokenizer's chat template renders it, so a checkpoint that carries its template is read
as it was trained. Text is data: a special token spelled out in a message is broken apart, and
never closes a turn or a sequence.

Needs transformers (written for 5.23) and jinja2, which renders its chat templates. The `Human:`/`Assistant:` text is that of hh-rlhf: Bai et al.
2022, "Training a Helpful and Harmless Assistant with RLHF".
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

__all__ = [
    "Conversation",
    "Message",
    "encode",
    "human_assistant_template",
]

Message = Mapping[str, str]
"""`{"role": "user", "content": "2+2?"}`; roles are system, user, assistant and tool."""

Conversation = Sequence[Message]
"""Messages in order; the last is the assistant's, the response to score."""

ROLES = ("system", "user", "assistant", "tool")


def human_assistant_template(tokenizer: PreTrainedTokenizerBase, last_messages: int = 0) -> str:
    """A chat template (Jinja) of hh-rlhf's form, for a tokenizer that has none.

    Args:
        last_messages: read only so many, the response included; 0 reads all.

    The sequence begins with the token that this tokenizer itself puts first (`[CLS]`, BOS,
    or none) and ends with its EOS or `[SEP]`. Set it as `tokenizer.chat_template` before
    training, and it is saved with the checkpoint. AReaL's reward models (`examples/alignment`,
    1.0) read this form.
    """
    first = _leading_special(tokenizer, tokenizer("a")["input_ids"])
    start = "".join(tokenizer.convert_ids_to_tokens(first))
    end = tokenizer.eos_token or tokenizer.sep_token or ""
    # An encoder drops line breaks; [SEP] between messages is what no message can hold.
    between = tokenizer.sep_token or ""
    return (
        start
        + f"{{% for message in messages[-{last_messages}:] %}}"  # -0 begins at the first
        + "{% if message.role not in ['user', 'assistant'] %}"
        + "{{ raise_exception('the Human/Assistant form has no role ' + message.role) }}{% endif %}"
        + f"{{% if not loop.first %}}{between}{{% endif %}}"
        + "{{ '\\n\\nHuman: ' if message.role == 'user' else '\\n\\nAssistant: ' }}"
        # A message opens no turn: a space comes between a line break and a marker.
        + "{{ message.content | replace('\\nHuman:', '\\n Human:')"
        + " | replace('\\nAssistant:', '\\n Assistant:') }}"
        + "{% endfor %}"
        + end
    )


def encode(
    tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Conversation], max_length: int
) -> tuple[list[list[int]], list[int]]:
    """Token ids of each conversation, and how many tokens each lost.

    A conversation of more than `max_length` tokens loses its oldest ones, after the leading
    `[CLS]` or BOS: the response at the end is what is scored.

    Args:
        tokenizer: with a chat template.
        conversations: each ends with an assistant message, which may be empty.
        max_length: tokens, special ones included.

    Returns:
        Ids (of lengths at most `max_length`, at least 1) and counts of lost tokens, in order.

    Raises:
        TypeError, ValueError: something is no conversation, or the template refuses it; the
            message gives its position.
    """
    if tokenizer.chat_template is None:
        raise ValueError(
            "the tokenizer has no chat template: set tokenizer.chat_template to the one that the "
            "critic was trained with, such as human_assistant_template(tokenizer)"
        )
    specials = _special_tokens(tokenizer)
    texts: list[str] = []
    for position, conversation in enumerate(conversations):
        _check(conversation, position)
        messages = [
            {"role": message["role"], "content": _break_apart(specials, message["content"])}
            for message in conversation
        ]
        try:
            texts.append(str(tokenizer.apply_chat_template(messages, tokenize=False)))
        except TemplateError as error:
            raise ValueError(f"conversation {position}: its chat template says: {error}") from error
    kept, lost = [], []
    for group in _groups(texts):
        # The template has put the special tokens in; added again, a second BOS would precede it.
        encoded = tokenizer(group, add_special_tokens=False, verbose=False)["input_ids"]
        for ids in encoded:
            kept.append(_truncate(tokenizer, ids, max_length))
            lost.append(len(ids) - len(kept[-1]))
    return kept, lost


def _groups(texts: Sequence[str], characters: int = 1_000_000) -> Iterator[list[str]]:
    """Cut a list into runs of so many characters; tokenizing takes some 50 bytes for each."""
    group: list[str] = []
    size = 0
    for text in texts:
        if group and size + len(text) > characters:
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    added = tokenizer.added_tokens_decoder.values()
    tokens = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
    tokens = {token.strip() for token in tokens}  # a space is what breaks one
    return re.compile("|".join(re.escape(token) for token in tokens if len(token) > 1) or r"(?!)")


def _break_apart(specials: re.Pattern[str], text: str) -> str:
    """Make of `<|im_end|>` `< |im_end|>`, ordinary text to the tokenizer."""
    # A response cut in the middle of a character can hold half of a surrogate pair.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    while specials.search(text):  # again, since two tokens may overlap
        text = specials.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
    return text


def _truncate(tokenizer: PreTrainedTokenizerBase, ids: list[int], max_length: int) -> list[int]:
    if len(ids) <= max_length:
        return ids
    head = _leading_special(tokenizer, ids)
    return head + ids[len(ids) - max_length + len(head) :]


def _leading_special(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """The `[CLS]` or BOS that `ids` begin with, or nothing."""
    return [i for i in ids[:1] if i in (tokenizer.cls_token_id, tokenizer.bos_token_id)]


def _check(conversation: Any, position: int) -> None:
    where = f"conversation {position}"
    if isinstance(conversation, str | bytes) or not isinstance(conversation, Sequence):
        raise TypeError(
            f"{where}: expected a list of messages, not {type(conversation).__name__}; "
            "prompts.parse_human_assistant reads 'Human: ... Assistant: ...' text"
        )
    for index, message in enumerate(conversation):
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise TypeError(f"{where}, message {index}: expected role and content, got {message!r}")
        if message["role"] not in ROLES:
            raise ValueError(f"{where}, message {index}: unknown role {message['role']!r}")
        if not isinstance(message["content"], str):
            raise TypeError(
                f"{where}, message {index}: content must be a string, "
                f"not {type(message['content']).__name__}"
            )
    if not conversation or conversation[-1]["role"] != "assistant":
        raise ValueError(f"{where}: the last message must be the assistant's, the one to score")
