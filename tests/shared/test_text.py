r"""What is said and what is thought, and one spelling for both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.shared.text import folded, plain, said

HARMONY = (
    "<|channel|>analysis<|message|>Could be 17.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>It is 18.<|return|>"
)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("It is 18.", "It is 18."),
        ("<think>17?</think>It is 18.", "It is 18."),
        ("17?</think>It is 18.", "It is 18."),
        ("<think>17?", ""),
        ("It is 18.<think>17?", "It is 18."),
        ("<think>a</think>b<think>c</think>d", "b\nd"),
        ("<think>a <think>b</think> c</think>It is 18.", "It is 18."),
        ("<THINK>17?</Think>It is 18.", "It is 18."),
        ("<seed:think>17?</seed:think>It is 18.", "It is 18."),
        ("<|begin_of_thought|>17?<|end_of_thought|>It is 18.", "It is 18."),
        ("<|START_THINKING|>17?<|END_THINKING|>It is 18.", "It is 18."),
        ("[THINK]17?[/THINK]It is 18.", "It is 18."),
        ("◁think▷17?◁/think▷It is 18.", "It is 18."),
        ("<unused94>thought\n17?<unused95>It is 18.", "It is 18."),
        ("<|channel>thought\n17?<channel|>It is 18.", "It is 18."),
        ("<start_working_out>17?<end_working_out>It is 18.", "It is 18."),
        (HARMONY, "It is 18."),
        (HARMONY.partition("<|start|>")[0], ""),
        ("analysisCould be 17.assistantfinalIt is 18.", "It is 18."),
        ("analysisCould be 17.\nassistantcommentaryNow.", ""),
        ("analysisCould be 17.", ""),
        ("analysis of both cases gives 18", "analysis of both cases gives 18"),
        ("It is 18.<|im_end|>", "It is 18."),
        ("It is 18.<|eot_id|></s>\n", "It is 18."),
        ("x < y <b>and</b> <<2*9=18>>18", "x < y <b>and</b> <<2*9=18>>18"),
        ("", ""),
    ],
)
def test_what_is_said(response: str, expected: str) -> None:
    assert said(response).strip() == expected


@given(st.text(alphabet="ab <>/|[]think\n"), st.text(alphabet="cd 18.\n"))
def test_what_was_thought_is_never_said(thought: str, answer: str) -> None:
    for name in ("think", "inner_monologue", "Reasoning"):
        assert said(f"<{name}>{thought}</{name}>{answer}") in (answer, "\n" + answer)
        assert (
            said(f"<|channel|>analysis<|message|>{thought}<|channel|>final<|message|>{answer}")
            == answer
        )


@given(st.text())
def test_any_text_has_one_spelling(text: str) -> None:
    said(text)
    assert plain(plain(text)) == plain(text)
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("１８．５", "18.5"),
        ("答案為７", "答案为7"),
        ("−5", "-5"),
        ("1\u200b8", "18"),
        ("Ｘ", "X"),
        ("ＦＦ", "FF"),
    ],
)
def test_plain(text: str, same: str) -> None:
    assert plain(text) == same


@pytest.mark.parametrize(
    ("text", "same"),
    [("Café", "cafe"), ("İstanbul", "istanbul"), ("Weiß", "weiss"), ("北京", "北京")],
)
def test_folded(text: str, same: str) -> None:
    assert folded(text) == same
