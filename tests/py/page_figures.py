"""What the page costs: requests, bytes and the time to the first card, a JSON object a line.

Asks a running demo (`make demo`) as the first user of its picker: with an empty cache, then again
with what that left, on a desk and on a phone of a quarter of the speed at 1.6 Mbit/s and 150 ms.

Usage: eval "$(make -s env)"; PYTHONPATH=python .pgfeed/venv/bin/python tests/py/page_figures.py
"""

import json
import os
import statistics
from dataclasses import dataclass

import httpx
from playwright.sync_api import Browser, CDPSession, Page

from browser import SIGN_IN, chromium

RUNS = 5

WATCH = """
window.figures = {shift: 0};
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) figures.largest = entry.startTime;
}).observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) figures.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
document.addEventListener("DOMContentLoaded", () => {
    const observer = new MutationObserver(() => {
        if (!document.querySelector("article.card")) return;
        observer.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => figures.card = performance.now()));
    });
    observer.observe(document.body, {childList: true, subtree: true});
});
"""

SCREENS = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "slow phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


@dataclass
class Traffic:
    """Counts what goes over the wire."""

    requests: int = 0
    bytes: int = 0

    def follow(self, session: CDPSession) -> None:
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda _: self._add(1, 0))
        session.on("Network.loadingFinished", lambda e: self._add(0, int(e["encodedDataLength"])))

    def _add(self, requests: int, size: int) -> None:
        self.requests += requests
        self.bytes += size


def visit(page: Page, url: str) -> dict[str, float]:
    """One load, until the first card and two seconds more for what shifts."""
    traffic = Traffic()
    traffic.follow(page.context.new_cdp_session(page))
    page.goto(url)
    page.wait_for_function("() => figures.card")
    until_card = {"requests": traffic.requests, "kilobytes": round(traffic.bytes / 1000, 1)}
    page.wait_for_timeout(500)
    figures = page.evaluate("() => figures")
    return until_card | {
        "first_card_ms": round(figures["card"]),
        "largest_paint_ms": round(figures["largest"]),
        "layout_shift": round(figures["shift"], 4),
    }


def measure(browser: Browser, url: str, token: str, screen: str) -> dict[str, list[dict]]:
    """Cold and warm loads of one new profile."""
    context = browser.new_context(**SCREENS[screen])
    context.add_init_script(SIGN_IN % json.dumps(token))
    context.add_init_script(WATCH)
    loads = {}
    for cache in ("cold", "warm"):
        page = context.new_page()
        if screen == "slow phone":
            session = context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
            line = {"offline": False, "latency": 150, "downloadThroughput": 200_000}
            session.send("Network.emulateNetworkConditions", line | {"uploadThroughput": 94_000})
        loads[cache] = visit(page, url)
        page.close()
    context.close()
    return loads


def main() -> None:
    url = os.environ["PGFEED_URL"]
    people = httpx.get(f"{url}/demo/users.json", trust_env=False).json()
    with chromium() as browser:
        for screen in SCREENS:
            runs = [measure(browser, url, people[0]["token"], screen) for _ in range(RUNS)]
            for cache in ("cold", "warm"):
                loads = [run[cache] for run in runs]
                median = {name: statistics.median(x[name] for x in loads) for name in loads[0]}
                print(json.dumps({"screen": screen, "cache": cache} | median))


if __name__ == "__main__":
    main()
