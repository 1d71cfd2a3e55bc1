"""Pages in real Chromium: profiles that somebody is signed in to, and what went wrong in them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from harness import Instance

# Only the first load finds nobody signed in: who signs out later stays out. An empty page, as a
# new tab is, has no storage.
SIGN_IN = """
if (location.protocol !== "about:" && !sessionStorage.getItem("test.signed-in")) {
    sessionStorage.setItem("test.signed-in", "yes");
    sessionStorage.setItem("pgfeed.token", %s);
}
"""

# Policies of the page that something broke, as the browser reports them.
WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = shutil.which("chromium")
    assert program, "there is no chromium: bin/install --test"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Visitor:
    """Opens pages of an instance, each profile as one browser of one person.

    Everything that the browser complains about is kept: a console error, an exception that
    nobody caught, a breach of the page's policy. A test that causes some on purpose says which.
    """

    browser: Browser
    instance: Instance
    tools: Path
    complaints: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def profile(self, token: str | None = None, **options: object) -> BrowserContext:
        """A browser profile in which `token` is signed in; with_axe=True to audit its pages."""
        with_axe = options.pop("with_axe", False)
        context = self.browser.new_context(base_url=self.instance.url, **options)
        context.set_default_timeout(15_000)
        context.add_init_script(WATCH_POLICY)
        if token is not None:
            context.add_init_script(SIGN_IN % json.dumps(token))
        if with_axe:
            context.add_init_script((self.tools / "node_modules/axe-core/axe.min.js").read_text())
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return context

    def open(self, path: str = "/", token: str | None = None, **options: object) -> Page:
        """A page in a profile of its own."""
        page = self.profile(token, **options).new_page()
        page.goto(path)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    def unexpected(self) -> list[str]:
        """The complaints that contain none of what the test expects."""
        return [one for one in self.complaints if not any(e in one for e in self.expected)]

    def close(self) -> None:
        for context in self.browser.contexts:
            context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with a page of a profile with_axe, one line each."""
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:200]} {node['any'][:1]}"
        for rule in found
        for node in rule["nodes"]
    ]


def wide_parts(page: Page) -> list[str]:
    """Elements that reach beyond the right edge, if the page scrolls sideways at all."""
    return page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] :
            [...document.querySelectorAll("body *")]
                .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)
                .map((e) => `${e.tagName}.${e.className}`)"""
    )
