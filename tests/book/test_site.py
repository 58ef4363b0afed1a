"""The finished site, in a real browser: what a reader does with it works."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

LANGUAGES = {"en": "en", "zh": "zh-CN"}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files and keep the test's output readable."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site on this machine and return its address."""
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start headless Chromium: the one on the PATH, else Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=found,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a window; whatever its console complains about fails."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(f"{message.location.get('url')}: {message.text}")

    def open_window(**options: object) -> Page:
        context = browser.new_context(base_url=address, **options)  # type: ignore[arg-type]
        contexts.append(context)
        # The site must work alone: nothing is fetched from elsewhere while it is tested.
        context.route(
            lambda url: not url.startswith(address), lambda route: route.fulfill(status=204)
        )
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", note)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


def pages(site: Path, language: str) -> list[Path]:
    """Return the pages of a language."""
    found = sorted((site / language).glob("*.html"))
    assert len(found) > 2
    return found


def parse(path: Path) -> BeautifulSoup:
    """Parse a page."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_states_its_language_and_links_to_its_twin(site: Path, language: str) -> None:
    other = "zh" if language == "en" else "en"
    for path in pages(site, language):
        page = parse(path)
        assert page.html["lang"] == LANGUAGES[language], path
        (switch,) = page.select("a.language-switch")
        twin = (path.parent / str(switch["href"])).resolve()
        assert twin == (site / other / path.name).resolve(), path
        assert twin.is_file(), path
        tags = {link["hreflang"] for link in page.select("link[rel=alternate]")}
        assert tags == {"en", "zh-CN", "x-default"}, path


def click_switch(page: Page) -> None:
    """Click by mouse: Playwright's own click would first scroll the page."""
    box = page.locator("a.language-switch").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_switch_keeps_page_and_section(
    site: Path, new_page: Callable[..., Page], language: str
) -> None:
    other = "zh" if language == "en" else "en"
    anchors = [s["id"] for s in parse(site / language / "contract.html").select("section[id]")]
    page = new_page(viewport={"width": 1300, "height": 700})
    for anchor in anchors[1:]:
        page.goto(f"/{language}/contract.html#{anchor}")
        expect(page.locator(f"[id='{anchor}']")).to_be_in_viewport()
        click_switch(page)
        page.wait_for_url(f"**/{other}/contract.html#{anchor}")
        expect(page.locator("html")).to_have_attribute("lang", LANGUAGES[other])
        expect(page.locator(f"[id='{anchor}']")).to_be_in_viewport()


def test_the_switch_follows_the_reader_who_scrolls(
    site: Path, new_page: Callable[..., Page]
) -> None:
    page = new_page(viewport={"width": 1300, "height": 300})
    page.goto("/en/contract.html")
    page.locator("a.language-switch").click()
    page.wait_for_url(lambda url: "/zh/contract.html" in url)
    assert "#" not in page.url.rstrip("#")
    anchor = parse(site / "en" / "contract.html").select("section section[id]")[0]["id"]
    page.goto("/en/contract.html")
    page.evaluate("id => document.getElementById(id).scrollIntoView({behavior: 'instant'})", anchor)
    click_switch(page)
    page.wait_for_url(f"**/zh/contract.html#{anchor}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_code_copies_without_output_or_prompts(
    site: Path, new_page: Callable[..., Page], language: str
) -> None:
    selector = "div:not(.output) > div.highlight > pre"
    path = next((p for p in pages(site, language) if parse(p).select(selector)), None)
    assert path is not None, f"no page of {language} shows code"
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"/{language}/{path.name}")
    block = page.locator(selector).first
    button = block.locator("xpath=..").locator("button.copybtn")
    assert button.get_attribute("data-tooltip") == {"en": "Copy", "zh": "复制"}[language]
    block.hover()
    button.click()
    expect(button).to_have_class("copybtn o-tooltip--left success")
    shown = block.inner_text().strip().splitlines()
    typed = [line.partition(" ")[2] for line in shown if line.startswith(("$ ", ">>> ", "... "))]
    copied = page.evaluate("navigator.clipboard.readText()").strip().splitlines()
    assert copied == (typed or shown)


@pytest.mark.parametrize(("language", "word"), [("en", "reward"), ("zh", "奖励"), ("zh", "弃权")])
def test_search_finds_a_word_and_leads_to_its_section(
    new_page: Callable[..., Page], language: str, word: str
) -> None:
    page = new_page()
    page.goto(f"/{language}/contract.html")
    page.keyboard.press("Control+k")
    page.keyboard.type(word)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    mark = page.locator("#book-search mark", has_text=word).first
    expect(mark).to_be_visible()
    result = page.locator(".pagefind-ui__result-nested a").first
    href = result.get_attribute("href") or ""
    assert href.startswith(f"/{language}/")
    result.click()
    page.wait_for_url("**/*.html#*")
    anchor = page.url.partition("#")[2]
    expect(page.locator(f"[id='{anchor}']")).to_be_in_viewport()


@pytest.mark.parametrize(("language", "text"), [("en", "opened as files"), ("zh", "无法搜索")])
def test_search_on_files_says_what_to_do(
    site: Path, browser: Browser, language: str, text: str
) -> None:
    page = browser.new_page()
    page.goto((site.resolve() / language / "search.html").as_uri() + "?q=x")
    notice = page.locator("#search-needs-server")
    expect(notice).to_contain_text(text)
    expect(notice).to_contain_text("./build_all.sh --serve")
    expect(notice).to_be_visible()
    page.close()


def test_dark_mode_toggles_and_stays(new_page: Callable[..., Page]) -> None:
    page = new_page(color_scheme="light")
    page.goto("/en/contract.html")
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    button = page.locator(".bd-header-article .theme-switch-button")
    while html.get_attribute("data-mode") != "dark":
        button.click()
    expect(html).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.goto("/zh/contract.html")
    expect(html).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en-US", "en"), ("zh-CN", "zh"), ("zh-TW", "zh"), ("fr-FR", "en")],
)
def test_the_root_leads_to_the_readers_language(
    new_page: Callable[..., Page], locale: str, language: str
) -> None:
    page = new_page(locale=locale)
    page.goto("/")
    page.wait_for_url(f"**/{language}/index.html")
    expect(page.locator("html")).to_have_attribute("lang", LANGUAGES[language])


def test_the_root_links_to_both_languages_without_javascript(
    new_page: Callable[..., Page],
) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/")
    links = page.locator("a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "en/index.html",
        "zh/index.html",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [360, 1300])
def test_no_page_is_wider_than_the_window(
    site: Path, new_page: Callable[..., Page], language: str, width: int
) -> None:
    page = new_page(viewport={"width": width, "height": 800})
    for path in pages(site, language):
        page.goto(f"/{language}/{path.name}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, path
