"""The documents: links lead somewhere, blocks say what becomes of them, made pages are current.

test_docs_run.py runs the blocks.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from documents import PAGES, name, page_blocks
from harness import REPOSITORY, Instance
from pgfeed.manual import catalogue
from pgfeed.manual.comments import parse
from pgfeed.manual.gateway import routes
from pgfeed.manual.made import made_pages
from pgfeed.manual.pages import CODE, NO_CODE, Block, summary

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)#\s]*)(#[^)\s]+)?\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
BLOCKS = [block for page in PAGES for block in page_blocks(page)]

# What may stand after a language, beside no-run and run-by.
LABELS = {
    "sh": {"", "fails"},
    "sql": {"", "owner", "may-be-empty", "owner may-be-empty"},
    "js": {""},
    "python": {""},
    # answer: the block before prints this, … being anything; like: the same fields and types.
    "json": {"answer", "like", "example"},
    "mermaid": {""},
}


def headings(page: Path) -> set[str]:
    """Anchors as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(FENCE.sub("", page.read_text())):
        if target.startswith(("http://", "https://")):
            continue
        there = (page.parent / target).resolve() if target else page
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


# ---------------------------------------------------------------------- blocks


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_every_block_says_what_becomes_of_it(block: Block) -> None:
    assert block.language in CODE + NO_CODE, f"say what it is: ```{' or ```'.join(CODE + NO_CODE)}"
    if block.fate == "no-run":
        assert len(block.reason.split()) >= 3, "say why it does not run"
    elif block.fate == "run-by":
        path, *wanted = block.reason.split()
        test = (REPOSITORY / path).read_text()
        assert block.page in test, f"{path} does not read {block.page}"
        assert all(f'"{word}"' in test for word in wanted), f"{path} does not ask for {wanted}"
    elif block.language == "text":
        assert block.label, "say what it is: ```text output"
        assert not re.match(r"(\$|make|bin/|curl|psql|git|pip|npm) ", block.code), "it is code: sh"
    else:
        assert block.label in LABELS[block.language], f"unknown label: {block.label}"
    if block.language == "json":
        json.loads(block.code)


def test_how_many_blocks_run(
    capsys: pytest.CaptureFixture, record_property: Callable[[str, object], None]
) -> None:
    """Printed, so that whoever reads the test's output sees what is not covered, and why."""
    left_out = [block for block in BLOCKS if block.fate == "no-run"]
    record_property("documents", summary(BLOCKS).removeprefix("documents: "))
    with capsys.disabled():
        print(f"\n{summary(BLOCKS)}")
        for block in left_out:
            print(f"  not run: {block.where}: {block.reason}")
    # What needs Docker, a cluster or several machines is the smaller part by far.
    assert len(left_out) * 3 < sum(block.fate in ("run", "run-by") for block in BLOCKS)


# ---------------------------------------------------------------------- what is made


def test_made_pages_are_current(instance: Instance) -> None:
    with instance.connect() as connection:
        made = made_pages(connection, REPOSITORY)
    for page, text in made.items():
        assert (REPOSITORY / page).read_text() == text, f"{page} is not current: make docs"


def test_the_gateways_page_has_its_paths() -> None:
    page = (REPOSITORY / "docs/clients/gateway.md").read_text()
    found = routes((REPOSITORY / "deploy/nginx.conf").read_text())
    assert {route.target for route in found} >= {"rpc/get_feed", "rpc/retract_interaction"}
    for route in found:
        if route.path.startswith("/api/v1/feed"):
            assert f"| `{route.path}` | {', '.join(route.methods)} |" in page


def test_comments_say_everything(instance: Instance) -> None:
    """Each argument, each column of an answer, each error; nothing that is not there."""
    with instance.connect() as connection:
        calls = catalogue.functions(connection, "api")
        views = catalogue.relations(connection, "api")
    known = {c.name for view in views if view.name == "listings" for c in view.columns}
    assert len(calls) > 10
    for call in calls:
        comment = parse(call.description)
        said = {part: list(items) for part, items in comment.sections.items()}
        arguments = [argument.name for argument in call.arguments]
        assert said.get("Arguments", []) == arguments, call.name
        assert said["Answers"], call.name
        # What takes nothing can be given nothing bad.
        least = {"400", "401"} if arguments else {"401"}
        assert least <= set(said["Errors"]) <= {"400", "401", "403", "404", "409"}
        columns = [column.name for column in call.columns]
        if columns:
            assert set(columns) >= set(said["Answers"]) >= set(columns) - known, call.name
    for view in views:
        assert parse(view.description).paragraphs, view.name


def test_comments_for_analysts_have_an_example(instance: Instance) -> None:
    with instance.connect() as connection:
        views = catalogue.relations(connection, "analytics")
    assert len(views) >= 3
    for view in views:
        if "select" in view.rights["feed_analyst"]:
            assert parse(view.description).example.endswith(";"), view.name


# ---------------------------------------------------------------------- worked examples


# The listing of docs/analysts/ranking.md, and what happened with it.
EXAMPLE = """
select
    tests.user(
        'reader', lat => 47.37, lon => 8.54, preferred_tags => '{hiking, jazz, outdoor, food}'
    ),
    tests.poster('host', 4.6, 20, 10, 9),
    tests.listing(
        'evening',
        poster => 'host',
        tags => '{jazz, outdoor, food, evening, live-music}',
        lat => 47.37 + 5 / (radians(1) * 6371.0088),
        lon => 8.54,
        created_at => %(as_of)s - interval '2 days'
    );
select tests.user('neighbor ' || n) from generate_series(1, 3) as n;
select
    tests.user(d.name || n),
    tests.interaction(d.name || n, 'evening', d.name::feed.interaction_type, %(as_of)s)
from (values ('apply', 1), ('save', 3), ('share', 1), ('click', 8), ('view', 8), ('dismiss', 1))
    as d (name, most)
cross join lateral generate_series(1, d.most) as n;
select
    tests.interaction('neighbor 2', 'evening', 'apply', %(as_of)s),
    tests.interaction('neighbor 3', 'evening', 'view', %(as_of)s);
select
    tests.neighbors('reader', '{neighbor 1, neighbor 2, neighbor 3}', '{0.6, 0.3, 0.1}'),
    tests.user_vector('reader', '{1, 0}'),
    tests.listing_vector('evening', array[cosd(65), sind(65)]::real[]);
"""


def test_the_worked_example_is_right(scratch: psycopg.Connection) -> None:
    """By the functions that the page calls, and by the feed that a client gets."""
    page = REPOSITORY / "docs/analysts/ranking.md"
    text = page.read_text()
    query = next(block for block in page_blocks(page) if "as score" in block.code)
    (score,) = scratch.execute(query.code.encode()).fetchone()
    assert f"**{score}**" in text

    (as_of,) = scratch.execute("select now() - interval '1 minute'").fetchone()
    psycopg.ClientCursor(scratch).execute(EXAMPLE, {"as_of": as_of})
    scratch.execute("call jobs.refresh_engagement()")
    scratch.execute("""set request.jwt.claims = '{"role": "service_role"}'""")
    components, total, reason = scratch.execute(
        """
        select components, score, reason
        from api.get_feed(tests.user_uid('reader'), as_of => %s)
        """,
        (as_of,),
    ).fetchone()
    assert f"{total:.4f}" == str(score)
    assert f'"{reason}"' in " ".join(text.split())
    assert len(components) == 7
    for component, part in components.items():
        row = "{value:.4f} | {weight:.2f} | {contribution:.4f}".format(**part)
        assert f"| {component} | {row} |" in text
        assert f"**{part['value']:.4f}**" in text
    (unknown,) = scratch.execute("select feed.poster_score(null, 0, 0, 0)").fetchone()
    assert f"has {unknown:.4f}" in text


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
    points = dict(scratch.execute("select type::text, weight from feed.interaction_weights"))
    text = (REPOSITORY / "docs/analysts/ranking.md").read_text()
    said = re.search(r"Points: (.*?)\. ", text, re.DOTALL)[1].replace("−", "-").split(", ")
    assert {word: int(number) for word, number in (one.split() for one in said)} == points
