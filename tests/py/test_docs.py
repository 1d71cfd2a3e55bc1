"""The documents: their links lead somewhere, their queries run, their examples are right."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness import REPOSITORY, Instance, clean_environment, run
from world import Town

PAGES = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]+)(#[^)\s]+)?\)")
FENCE = re.compile(r"^```(\w+)?( \w+)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def headings(page: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(FENCE.sub("", page.read_text())):
        if target.startswith(("http://", "https://")):
            continue
        there = (page.parent / target).resolve()
        assert there.exists(), f"{name(page)}: {target}"
        if anchor:
            assert anchor[1:] in headings(there), f"{name(page)}: {target}{anchor}"


def test_every_page_is_linked() -> None:
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target, _ in LINK.findall(page.read_text())
    }
    folders = {folder / "README.md" for folder in linked if folder.is_dir()}
    assert set(PAGES) - linked - folders == {REPOSITORY / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    text = page.read_text()
    for target in re.findall(r"`(?:\$\()?make (?:-s )?([a-z]+)", text):
        assert target in targets, f"{name(page)}: make {target}"
    for script in re.findall(r"`(bin/[a-z-]+)", text):
        assert (REPOSITORY / script).exists(), f"{name(page)}: {script}"


def queries() -> Iterator[tuple[str, str, str]]:
    """SQL of the pages by audience: analysts' queries run with no more rights than they have."""
    for page in PAGES:
        for language, owner, query in FENCE.findall(page.read_text()):
            if language == "sql":
                is_analysts = page.parent.name == "analysts" and not owner
                yield name(page), "feed_analyst" if is_analysts else "postgres", query


@pytest.mark.parametrize(("page", "role", "query"), list(queries()))
def test_queries_run(
    instance: Instance, scratch_name: str, page: str, role: str, query: str
) -> None:
    with instance.connect(scratch_name, role) as connection:
        connection.execute(query.encode())


def block(page: str, wanted: str) -> str:
    text = (REPOSITORY / page).read_text()
    (code,) = (code for language, _, code in FENCE.findall(text) if language == wanted)
    return code


def test_the_curl_example_works(instance: Instance, here: Town) -> None:
    here.lat, here.lon = 47.37, 8.54
    here.listings([{"title": "Jazz night", "tags": ["jazz"]}, {}])
    done = run(
        "bash",
        "-euo",
        "pipefail",
        "-c",
        block("docs/clients/README.md", "sh").replace("curl ", "curl --fail-with-body -sS "),
        cwd=REPOSITORY,
        env=clean_environment(PGFEED_HOME=str(instance.home)),
    )
    assert '"status": "recorded"' in done.stdout
    assert '"rule": "dismissed"' in done.stdout


def test_the_python_example_works(instance: Instance, here: Town) -> None:
    listing = here.listing()
    user = here.user()
    given = {"token": instance.token(user), "pgfeed_url": instance.url}
    exec(block("docs/clients/README.md", "python"), given)
    assert given["feed"][0]["listing_id"] == listing
    assert here.feed(user) == []


def test_the_worked_example_is_right(scratch: psycopg.Connection) -> None:
    text = (REPOSITORY / "docs/analysts/README.md").read_text()
    (query,) = (q for _, owner, q in FENCE.findall(text) if owner.strip() == "owner")
    (score,) = scratch.execute(query.encode()).fetchone()
    assert f"**{score}**" in text
    values = scratch.execute(
        """
        select feed.location_score(5, 25, 0.5), feed.tag_score(3, 4, 5),
            feed.engagement_score(58, 100),
            feed.recency_score(interval '2 days', interval '7 days'),
            feed.poster_score(4.6, 20, 10, 9), 0.31, 0.42
        """
    ).fetchone()
    weights = (0.25, 0.2, 0.15, 0.1, 0.1, 0.1, 0.1)
    for value, weight in zip(values, weights, strict=True):
        assert f"{float(value):.4f} | {float(value) * weight:.4f} |" in text


def test_the_weights_and_parameters_are_the_ones_in_force(scratch: psycopg.Connection) -> None:
    profile = scratch.execute(
        """
        select location_weight, tag_weight, engagement_weight, recency_weight, poster_weight,
            collaborative_weight, content_weight, location_decay_km, inferred_tag_count,
            recency_half_life, seen_window, collaborative_window
        from feed.ranking_profiles where profile_name = 'default'
        """
    ).fetchone()
    assert [float(weight) for weight in profile[:7]] == [0.25, 0.2, 0.15, 0.1, 0.1, 0.1, 0.1]
    assert profile[7:9] == (25, 10)
    assert [window.days for window in profile[9:]] == [7, 30, 90]
