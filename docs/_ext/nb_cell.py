"""The ``nb-cell`` directive: one cell of a committed notebook, code and stored output.

    ```{nb-cell} rule_based#grade-one
    :show: output
    :alt: A bar for each reason, the longest for wrong answers.
    ```

shows the only code cell tagged ``grade-one`` of ``notebooks/rule_based.ipynb``, exactly as MyST-NB
renders it. ``:show:`` is ``code``, ``output`` or ``both`` (the default). ``:alt:`` says in the
page's language what an image shows. A cell that cannot be shown fails the build, with or without
``-W``: a page must never silently lose its proof.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from myst_nb.core.execute import NotebookClientBase
from myst_nb.core.loggers import SphinxDocLogger
from myst_nb.core.render import load_renderer
from myst_nb.sphinx_ import SphinxNbRenderer
from myst_parser.parsers.mdit import create_md_parser
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

ARGUMENT = re.compile(r"(?P<notebook>[\w-]+)#(?P<tag>[\w-]+)")
HIDES = {"code": ["remove-output"], "output": ["remove-input"], "both": []}


def shows_image(cell: NotebookNode) -> bool:
    """Tell whether a stored output of the cell is an image."""
    return any(
        mime.startswith("image/") for output in cell.outputs for mime in output.get("data", {})
    )


class NbCell(SphinxDirective):
    """Embed the one cell of a notebook that has a tag."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"show": directives.unchanged, "alt": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the cell as MyST-NB would."""
        match = ARGUMENT.fullmatch(self.arguments[0])
        if match is None:
            self.fail(f"{self.arguments[0]!r} is not of the form notebook#tag")
        show = self.options.get("show", "both")
        if show not in HIDES:
            self.fail(f":show: is {show!r}; write code, output or both")
        notebook = self.read(match["notebook"])
        cell = self.find(notebook, match["notebook"], match["tag"])
        self.check(cell, match.string, show)
        return self.render(notebook, cell, HIDES[show])

    def read(self, name: str) -> NotebookNode:
        """Read a notebook, and have this page rebuilt when it changes."""
        path = Path(self.env.srcdir, self.config.nb_cell_folder, f"{name}.ipynb").resolve()
        self.env.note_dependency(str(path))
        if not path.is_file():
            self.fail(f"there is no notebook {self.short(path)}; correct the name or add it")
        try:
            notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        except Exception as error:
            self.fail(f"{self.short(path)} is not a notebook: {error}")
        return notebook

    def find(self, notebook: NotebookNode, name: str, tag: str) -> NotebookNode:
        """Return the only code cell with the tag."""
        found: list[tuple[int, NotebookNode]] = [
            (number, cell)
            for number, cell in enumerate(notebook.cells, 1)
            if cell.cell_type == "code" and tag in cell.metadata.get("tags", [])
        ]
        if not found:
            self.fail(f"no code cell of {name}.ipynb has the tag {tag!r}; tag one")
        if len(found) > 1:
            numbers = " and ".join(str(number) for number, _ in found)
            self.fail(f"cells {numbers} of {name}.ipynb share the tag {tag!r}; keep it on one")
        return found[0][1]

    def check(self, cell: NotebookNode, argument: str, show: str) -> None:
        """Refuse a cell that would show nothing, or an image that some readers cannot see."""
        alt = self.options.get("alt")
        if cell.execution_count is None:
            self.fail(f"{argument} was never executed; run the notebook and save its outputs")
        if show == "output" and not cell.outputs:
            self.fail(f"{argument} has no output to show; remove :show: or run the notebook")
        image = show != "code" and shows_image(cell)
        if image and not (alt and alt.strip()):
            self.fail(f"{argument} shows an image; say what it shows in an :alt: option")
        if alt is not None and not image:
            self.fail(f"{argument} shows no image; remove the :alt: option")

    def render(
        self, notebook: NotebookNode, cell: NotebookNode, hides: list[str]
    ) -> list[nodes.Node]:
        """Render the cell with MyST-NB's own renderer, as a notebook of one cell."""
        metadata: dict[str, Any] = dict(cell.metadata)
        metadata["tags"] = [*metadata["tags"], *hides]
        if "alt" in self.options:
            metadata["mystnb"] = {"image": {"alt": self.options["alt"].strip()}}
        single = nbformat.from_dict({**notebook, "cells": [cell]})  # type: ignore[no-untyped-call]
        config = self.env.mystnb_config  # type: ignore[attr-defined]
        logger = SphinxDocLogger(self.state.document)
        parser = create_md_parser(self.env.myst_config, SphinxNbRenderer)  # type: ignore[attr-defined]
        renderer: Any = parser.renderer
        parser.options["document"] = self.state.document
        parser.options["nb_config"] = config
        token = Token("nb_cell_code", "code", 0, content=cell.source, map=[self.lineno] * 2)
        token.meta = {"index": 0, "metadata": metadata}
        holder = nodes.Element()
        with NotebookClientBase(single, None, config, logger) as client:
            parser.options["nb_client"] = client
            renderer.setup_render(parser.options, {})
            self.state.document["nb_renderer"] = load_renderer(config.render_plugin)(
                renderer, logger
            )
            with renderer.current_node_context(holder):
                renderer.render_nb_cell_code(SyntaxTreeNode([token], create_root=False))
        del self.state.document["nb_renderer"]
        return list(holder.children)

    def short(self, path: str | Path) -> str:
        """Return a path as seen from the working folder, if it lies below it."""
        path, here = Path(path), Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def fail(self, problem: str) -> NoReturn:
        """Stop the build: say where, what is wrong and what to do."""
        page = self.short(self.env.doc2path(self.env.docname))
        raise ExtensionError(f"{page}:{self.lineno}: nb-cell: {problem}")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive with Sphinx."""
    app.add_config_value("nb_cell_folder", "../../notebooks", "env", [str])
    app.add_directive("nb-cell", NbCell)
    # Sphinx reads every page again when this number changes: so an edit here shows.
    version = zlib.crc32(Path(__file__).read_bytes())
    return {"env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
