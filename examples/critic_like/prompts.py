r"""The conversation in a prompt that came as one string.

    >>> messages_of_prompt("2+2?")
    [{'role': 'user', 'content': '2+2?'}]
    >>> messages_of_prompt("\n\nHuman: 2+2?\n\nAssistant:")
    [{'role': 'user', 'content': '2+2?'}]

Standard library only: worker processes that hold no model import it too. The
`Human:`/`Assistant:` text is that of hh-rlhf: Bai et al. 2022, "Training a Helpful and Harmless
Assistant with RLHF".
"""

import re

__all__ = ["messages_of_prompt", "parse_human_assistant"]

_MARKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
_ROLE_OF_MARKER = {"Human": "user", "Assistant": "assistant"}
_RENDERED = re.compile(r"<[|｜][^<>\n]{1,40}[|｜]>|<start_of_turn>|\[INST\]")


def parse_human_assistant(text: str) -> list[dict[str, str]]:
    """Read hh-rlhf's dialogue text into messages, stripped of outer white space.

    Raises:
        ValueError: the text does not begin with `Human:` or `Assistant:`.
    """
    # One group: split gives what is before the first marker, then marker, text, marker, text.
    start, *turns = _MARKER.split(text)
    if start.strip() or not turns:
        raise ValueError(f"text must begin with 'Human:' or 'Assistant:', not {text[:40]!r}")
    return [
        {"role": _ROLE_OF_MARKER[marker], "content": content.strip()}
        for marker, content in zip(turns[::2], turns[1::2], strict=True)
    ]


def messages_of_prompt(prompt: str) -> list[dict[str, str]]:
    """Read hh-rlhf's dialogue text into messages; take other plain text for one user message.

    Raises:
        ValueError: the prompt was rendered by a chat template.
    """
    if marker := _RENDERED.search(prompt):
        raise ValueError(
            f"the prompt was rendered by the policy's chat template (it holds {marker[0]!r}), which "
            "is not the critic's: pass the conversation as the column messages"
        )
    if re.match(r"\s*Human:", prompt):
        messages = parse_human_assistant(prompt.lstrip())
        return messages[:-1] if messages[-1] == {"role": "assistant", "content": ""} else messages
    return [{"role": "user", "content": prompt}]
