"""A small sound book, to plant one defect at a time in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from nbformat import v4

EN = """\
---
html_meta:
  description: What a reward is
---
(contract-top)=
# The contract

A **reward
function** is what `grade` is: it marks a response. On GSM8K
([the paper](https://arxiv.org/abs/2110.14168), {ref}`law one <contract-law-one>`)
it marks 1,319 answers in 15 seconds.[^where]

[^where]: On one core.

(contract-law-one)=
## Law one

::::{tab-set}
:::{tab-item} By rule
:sync: rule

The `score` is $s$, or the grader abstains.

```{nb-cell} contract#grade-one
:show: output
:alt: One bar
```
:::
::::

| outcome | score |
|---|---|
| right | 1.0 |
| wrong | 0.0 |

```{literalinclude} ../../examples/shared/outcome.py
:pyobject: Outcome
:caption: The whole contract
```

```{mermaid}
flowchart LR
  a[Is there a reference answer?] --> b[Grade by rule]
```

```{math}
r = 1 \\text{ if right}
```

(contract-build)=
### Build

```console
$ ./build_all.sh
```
"""

ZH = """\
(contract-top)=
# 约定

**奖励函数**就是 `grade` 这样的函数：它为回复打分。在 GSM8K 上，它用 １５ 秒为 1319 个答案打分
（[论文](https://arxiv.org/abs/2110.14168)，{ref}`第一定律 <contract-law-one>`）。[^where]

[^where]: 单核。

(contract-law-one)=
## 第一定律

::::{tab-set}
:::{tab-item} 按规则
:sync: rule

`score` 即 $s$；否则评分器弃权。

```{nb-cell} contract#grade-one
:show: output
:alt: 一根柱子
```
:::
::::

| 结果 | 得分 |
|---|---|
| 对 | 1.0 |
| 错 | 0.0 |

```{literalinclude} ../../examples/shared/outcome.py
:pyobject: Outcome
:caption: 完整的约定
```

```{mermaid}
flowchart LR
  a[有参考答案吗？] --> b[按规则评分]
```

```{math}
r = 1 \\text{（若答对）}
```

(contract-build)=
### 构建

```console
$ ./build_all.sh
```
"""

GLOSSARY = """\
- {en: [reward function, reward functions], zh: 奖励函数, not: [回报函数]}
- {en: [reward], zh: 奖励}
- {en: [response, responses], zh: 回复}
- {en: [abstain, abstains], zh: 弃权, not: [放弃]}
- {en: [reference answer], zh: 参考答案, not: [答案参考]}
"""


@dataclass(frozen=True)
class Book:
    root: Path

    def edit(self, path: str, old: str, new: str) -> int:
        """Replace the only occurrence of ``old``; return the line where it stood."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path}"
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")
        return text.count("\n", 0, text.index(old)) + 1

    def line(self, path: str, text: str) -> int:
        """The line of the first occurrence of ``text``."""
        whole = (self.root / path).read_text(encoding="utf-8")
        return whole.count("\n", 0, whole.index(text)) + 1

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(dedent(text), encoding="utf-8")


def sound_notebook() -> nbformat.NotebookNode:
    """Cells, by number: 1 prose, 2 import, 3 print, 4 value, 5 error, 6 empty."""
    notebook = v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "P"}})
    printed = v4.new_output("stream", name="stdout", text="score 1.0\n")
    value = v4.new_output("execute_result", data={"text/plain": "0.5"}, execution_count=3)
    error = v4.new_output("error", ename="Abstained", evalue="no", traceback=["Abstained: no"])
    notebook.cells = [
        v4.new_markdown_cell("# Runs"),
        v4.new_code_cell("half = 0.5", execution_count=1),
        v4.new_code_cell("print('score', 2 * half)", execution_count=2, outputs=[printed]),
        v4.new_code_cell("half", execution_count=3, outputs=[value]),
        v4.new_code_cell("print(fail())", execution_count=4, outputs=[error]),
        v4.new_code_cell(""),
    ]
    notebook.cells[2].metadata["tags"] = ["grade-one", "nbval-check-output"]
    notebook.cells[3].metadata["tags"] = ["half", "nbval-check-output"]
    notebook.cells[4].metadata["tags"] = ["fails", "raises-exception"]
    return notebook


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(tmp_path)
    book.write("docs/en/contract.md", EN)
    book.write("docs/zh/contract.md", ZH)
    book.write("docs/en/_build/left_over.md", "no page\n")
    book.write("docs/glossary.yml", GLOSSARY)
    (tmp_path / "notebooks").mkdir()
    nbformat.write(sound_notebook(), tmp_path / "notebooks/contract.ipynb")
    return book
