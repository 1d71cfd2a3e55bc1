"""The analysts' dashboard in real Chromium: what it shows is what SQL says, and to whom."""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import jwt
import psycopg
import pytest
from playwright.sync_api import Page, expect

import world
from browser import Visitor, violations, wide_parts
from harness import REPOSITORY, Instance

CARDS = [
    "rates",
    "trending",
    "funnel",
    "coverage",
    "quality",
    "experiments",
    "components",
    "inequality",
    "latency",
    "jobs",
]
PHONE = {"width": 360, "height": 740}


def read_access_log(instance: Instance) -> None:
    """As the reader that bin/up starts: what was read, by either of them, is counted once."""
    log = instance.home / "log/access.log"
    instance.bin("pgfeed", "access-log", "--source", "local", str(log))


@pytest.fixture(scope="module", autouse=True)
def at_rest(instance: Instance) -> Iterator[None]:
    """No data, no runs of jobs, no feeds asked for, and no job of pg_cron's own accord."""
    with instance.connect() as connection:
        connection.execute("update cron.job set active = false")
        read_access_log(instance)
        connection.execute("truncate ops.request_counts, jobs.runs")
        world.empty(connection)
        yield
        world.empty(connection)
        connection.execute("update cron.job set active = true")


@pytest.fixture(scope="module")
def analyst(instance: Instance) -> str:
    return instance.token(role="feed_analyst")


@pytest.fixture(scope="module")
def ask(instance: Instance) -> Iterator[Callable[..., list[tuple]]]:
    """What an analyst would ask in SQL."""
    with instance.connect(user="feed_analyst") as connection:
        yield lambda query, *values: connection.execute(query, values).fetchall()


def read(page: Page) -> None:
    """Waits until every card has been read."""
    expect(page.locator("#status")).to_have_text("All figures are read.")


def open_all(page: Page, kind: str) -> None:
    for summary in page.locator(f"details.{kind}:not([hidden]) > summary").all():
        summary.click()


def assert_narrow(page: Page) -> None:
    """Nothing reaches beyond the right edge, once the charts have taken their new size."""
    for _ in range(50):
        if not wide_parts(page):
            return
        page.wait_for_timeout(100)
    assert wide_parts(page) == []


def tables(page: Page, card: str) -> list[list[list[str]]]:
    """The rows of a card's data tables, which must be open."""
    return page.eval_on_selector_all(
        f"#{card} details.data table",
        "all => all.map(t => [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.innerText)))",
    )


# ---------------------------------------------------------------------- as the page writes them


def fixed(value: float | None, digits: int, unit: str = "") -> str:
    """JavaScript's toFixed: halves go up."""
    if value is None:
        return "–"
    step = Decimal(1).scaleb(-digits)
    return f"{Decimal(float(value)).quantize(step, ROUND_HALF_UP)}{unit}"


def percent(share: float | None) -> str:
    return "–" if share is None else fixed(100.0 * share, 1, " %")


def points(share: float) -> str:
    return fixed(100 * share, 2, " %")


def count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def test_the_page_asks_for_all_its_modules_at_once() -> None:
    """Else each would wait for the one that imports it."""
    folder = REPOSITORY / "web"
    page = (folder / "analytics/index.html").read_text()
    asked = set(re.findall(r'<link rel="modulepreload" href="/(analytics/[^"]+)"', page))
    modules = {str(path.relative_to(folder)) for path in folder.glob("analytics/**/*.js")}
    assert asked == modules - {"analytics/main.js"}


# ---------------------------------------------------------------------- who may see it


@pytest.mark.parametrize("who", ["nobody", "a user", "the application", "too late", "forged"])
def test_who_is_no_analyst_is_told_what_to_do(
    visitor: Visitor, instance: Instance, analyst: str, who: str
) -> None:
    past = {"role": "feed_analyst", "exp": datetime.now(UTC) - timedelta(hours=1)}
    tokens = {
        "nobody": (None, "Nobody is signed in"),
        "a user": (instance.token(uuid.uuid4()), "This token is not an analyst's"),
        "the application": (instance.token(role="service_role"), "This token is not an analyst's"),
        "too late": (jwt.encode(past, instance.secret), "Your token has expired"),
        "forged": (analyst[:-4] + "AAAA", "This token is not accepted"),
    }
    token, says = tokens[who]
    # The browser itself writes every 401 and 403 to the console.
    visitor.expected = ("401", "403")
    page = visitor.open("/analytics", token, with_axe=True)
    expect(page.locator("#gate h2")).to_have_text(says)
    expect(page.locator("#cards")).to_be_hidden()
    expect(page.locator("#filters")).to_be_hidden()
    assert violations(page) == []
    if who == "nobody":
        # By keyboard alone.
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the figures")).to_be_focused()
        page.get_by_label("An analyst's token").focus()
        page.keyboard.insert_text(analyst)
        page.keyboard.press("Enter")
        read(page)
        assert analyst not in page.url
        page.get_by_role("button", name="Sign out").click()
        expect(page.locator("#gate h2")).to_have_text("Nobody is signed in")


# ---------------------------------------------------------------------- without data


def test_without_data_each_card_says_what_to_do(visitor: Visitor, analyst: str) -> None:
    page = visitor.open("/analytics", analyst, with_axe=True, viewport=PHONE)
    read(page)
    for card in CARDS:
        expect(page.locator(f"#{card} .nothing p").nth(1)).to_be_visible()
        expect(page.locator(f"#{card} .meaning")).not_to_be_empty()
    assert violations(page) == []
    assert_narrow(page)


# ---------------------------------------------------------------------- with data


@pytest.fixture(scope="module")
def filled(at_rest: None, instance: Instance) -> None:
    """A small world with impressions, trained, whose feeds were asked for over HTTP."""
    instance.bin("pgfeed", "synth", "--scale", "tiny")
    with instance.connect() as connection:
        connection.execute(
            """
            insert into feed.experiments (profile_name, buckets, started_at)
            values ('nearby', '[0,200)', now() - interval '40 days')
            """
        )
    instance.bin("pgfeed", "train")
    with instance.connect() as connection, instance.client() as client:
        users = connection.execute("select user_uid from feed.users order by 1 limit 5")
        for (user,) in users.fetchall():
            client.get("/api/v1/feed", headers=instance.authorization(user))
    read_access_log(instance)


@pytest.fixture
def page(filled: None, visitor: Visitor, analyst: str) -> Page:
    """The dashboard of thirty days with everything open."""
    page = visitor.open("/analytics?days=30", analyst, with_axe=True)
    read(page)
    open_all(page, "data")
    return page


RATES = """
    select sum(attributed_click_count)::float / nullif(sum(impression_count), 0),
        sum(apply_count)::float / nullif(sum(click_count), 0),
        sum(view_seconds)::float / nullif(sum(view_count), 0)
    from analytics.daily_metrics
    where day > (now() at time zone 'utc')::date - %s
"""
BY_DAY = """
    select day::text, impression_count, view_count, click_count, attributed_click_count,
        apply_count, click_through_rate, apply_rate, seconds_per_listing
    from analytics.daily_metrics
    where day > (now() at time zone 'utc')::date - %s
    order by day desc
"""


def figures(page: Page) -> list[str]:
    return page.locator("#rates strong[data-measure]").all_inner_texts()


def test_the_numbers_are_those_of_sql(page: Page, ask: Callable) -> None:
    ((click_through, apply_rate, seconds),) = ask(RATES, 30)
    assert figures(page) == [percent(click_through), percent(apply_rate), fixed(seconds, 1, " s")]
    assert tables(page, "rates") == [
        [
            [day, *map(count, counts), percent(through), percent(rate), fixed(time, 1, " s")]
            for day, *counts, through, rate, time in ask(BY_DAY, 30)
        ]
    ]
    titles = page.locator("#trending .body tbody .title").all_inner_texts()
    assert titles == [
        title
        for (title,) in ask(
            "select title from analytics.trending_listings order by rank, listing_id limit 10"
        )
    ]
    funnel = ask(
        """
        select stage, sum(event_count)::bigint from analytics.funnel
        where day > (now() at time zone 'utc')::date - 30
        group by stage, stage_no order by stage_no
        """
    )
    (shown,) = tables(page, "funnel")
    assert [row[1] for row in shown] == [count(events) for _, events in funnel]
    coverage = ask(
        "select covered_count, total_count, share, target, is_met from analytics.coverage"
    )
    (shown,) = tables(page, "coverage")
    assert sorted(row[1:6] for row in shown) == sorted(
        [count(covered), count(total), percent(share), percent(target), "yes" if met else "no"]
        for covered, total, share, target, met in coverage
    )
    distribution = ask(
        """
        select component, round(20 * bucket_low)::int, sum(listing_count)::float
            / sum(sum(listing_count)) over (partition by component)
        from analytics.component_distribution group by component, 2
        """
    )
    shares = {(component, bucket): share for component, bucket, share in distribution}
    (shown,) = tables(page, "components")
    heads = page.locator("#components details.data thead th").all_inner_texts()[1:]
    heads = [head.replace(" ", "_") for head in heads]
    assert set(heads) == {component for component, _ in shares}
    assert [row[1:] for row in shown] == [
        [percent(shares.get((component, bucket), 0)) for component in heads] for bucket in range(20)
    ]
    facts = ask(
        """
        select subject_count, without_application_share, gini from analytics.engagement_inequality
        where percentile = 100 order by subject
        """
    )
    shown = page.locator("#inequality .facts tbody td").all_inner_texts()
    assert shown == [
        text
        for number, none, gini in facts
        for text in (count(number), percent(none), fixed(gini, 3))
    ]
    places, cities = tables(page, "quality")
    quality = ask(
        "select position, impression_count, click_count from analytics.quality_by_position"
        " order by position"
    )
    assert [row[:3] for row in places] == [list(map(count, row)) for row in quality]
    (total,) = ask("select sum(impression_count)::bigint from analytics.quality_by_city")
    assert sum(int(row[1].replace(",", "")) for row in cities) == total[0]
    experiments = ask(
        """
        select profile_name, user_count, numerator::bigint, denominator::bigint, value, low, high
        from analytics.experiment_results
        order by array_position(
            '{click_through_rate,apply_rate,seconds_per_listing,applications_per_user}', measure
        ), profile_name
        """
    )
    (sums,) = tables(page, "experiments")
    assert [row[1:] for row in sums] == [[row[0], *map(count, row[1:4])] for row in experiments]
    assert {profile for profile, *_ in experiments} == {"default", "nearby"}
    shown = page.locator("#experiments .body tbody tr").all()
    assert len(shown) == 8
    through = [
        [points(value), f"{points(low)} to {points(high)}"]
        for *_, value, low, high in experiments[:2]
    ]
    assert [row.locator("td").all_inner_texts()[3:5] for row in shown[:2]] == through
    jobs = ask("select job, is_over_target from analytics.job_health order by job")
    assert page.locator("#jobs .body tbody th").all_inner_texts() == [job for job, _ in jobs]
    hours, _ = tables(page, "latency")
    latency = ask(
        "select request_count, error_count from analytics.feed_latency where route = 'feed'"
        " order by hour desc"
    )
    assert [row[1:3] for row in hours] == [list(map(count, row)) for row in latency]


def test_a_profile_that_was_not_compared_has_no_rows(
    filled: None, visitor: Visitor, analyst: str, db: psycopg.Connection
) -> None:
    db.execute("create temporary table kept as table analytics.experiment_counts")
    try:
        db.execute("delete from analytics.experiment_counts where profile_name = 'default'")
        page = visitor.open("/analytics?days=30&profile=default", analyst)
        read(page)
        expect(page.locator("#experiments .body .note")).to_be_visible()
        assert page.locator("#experiments .body tbody tr").count() == 0
    finally:
        db.execute("delete from analytics.experiment_counts")
        db.execute("insert into analytics.experiment_counts table kept")


def test_what_stands_beside_the_numbers(page: Page, db: psycopg.Connection) -> None:
    """The SQL is the views', the meaning their comment's, and figures that are stored say when."""
    open_all(page, "sql")
    db.execute("set search_path = pg_catalog")
    definitions = dict(
        db.execute(
            """
            select relname, pg_get_viewdef(oid, true) from pg_class
            where relnamespace = 'analytics'::regnamespace and relkind = 'v'
            """
        ).fetchall()
    )
    shown = page.eval_on_selector_all(
        "code[data-view]", "all => all.map(e => [e.dataset.view, e.textContent])"
    )
    assert {view for view, _ in shown} >= set(definitions) - {
        *("view_definitions", "listing_engagement", "feed_quality", "coverage_course"),
        "quality_by_profile",
    }
    for view, text in shown:
        assert text == definitions[view].strip(), view
    for card in CARDS:
        expect(page.locator(f"#{card} .meaning")).not_to_be_empty()
        expect(page.locator(f"#{card} .age")).not_to_be_empty()
    for card in ("rates", "trending", "funnel", "coverage", "quality", "components", "inequality"):
        moment = page.locator(f"#{card} .age time").get_attribute("datetime")
        assert datetime.now(UTC) - datetime.fromisoformat(moment) < timedelta(hours=1), card
    # Every chart has a summary, and something was drawn.
    charts = page.eval_on_selector_all(
        "canvas",
        """all => all.map(e => [e.getAttribute("aria-label"), e.getContext("2d")
            .getImageData(0, 0, e.width, e.height).data.some(byte => byte > 0)])""",
    )
    assert len(charts) >= 17
    assert all(len(label) > 20 and is_drawn for label, is_drawn in charts), charts


def test_it_is_accessible_in_every_light_and_width(page: Page) -> None:
    open_all(page, "sql")
    before = page.locator("#funnel canvas").screenshot()
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    # Charts are drawn again in the colours of the dark.
    assert page.locator("#funnel canvas").screenshot() != before
    page.set_viewport_size(PHONE)
    assert_narrow(page)
    assert violations(page) == []


def test_filters(page: Page, ask: Callable) -> None:
    """By keyboard; in the address, so that a link shows the same."""
    page.get_by_role("radio", name="30 days").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#rates h3").first).to_be_visible()
    ((click_through, *_),) = ask(RATES, 7)
    expect(page.locator("#rates strong").first).to_have_text(percent(click_through))
    read(page)
    assert "days=7" in page.url
    assert len(tables(page, "rates")[0]) == len(ask(BY_DAY, 7))
    page.get_by_role("combobox", name="Profile").select_option("default")
    ((through,),) = ask(
        """
        select sum(click_count)::float / sum(impression_count) from analytics.feed_quality
        where profile_name = 'default' and day > (now() at time zone 'utc')::date - 7
        """
    )
    expect(page.locator("#rates strong").first).to_have_text(percent(through))
    read(page)
    expect(page.locator("#funnel .note")).to_contain_text("Of all profiles")
    assert "profile=default" in page.url
    page.reload()
    read(page)
    expect(page.get_by_role("radio", name="7 days")).to_be_checked()
    expect(page.get_by_role("combobox", name="Profile")).to_have_value("default")
    expect(page.locator("#rates strong").first).to_have_text(percent(through))


def test_a_card_that_fails_says_so_and_can_be_tried_again(
    filled: None, visitor: Visitor, analyst: str, db: psycopg.Connection
) -> None:
    visitor.expected = ("404", "ERR_INTERNET_DISCONNECTED")
    db.execute("alter view analytics.funnel rename to funnel_elsewhere")
    try:
        page = visitor.open("/analytics", analyst, with_axe=True)
        failed = page.locator("#funnel .failed")
        expect(failed).to_contain_text("This could not be read")
        expect(page.locator("#status")).to_have_text(f"1 of {len(CARDS)} cards could not be read.")
        expect(page.locator("#coverage canvas")).to_be_visible()
        assert violations(page) == []
    finally:
        db.execute("alter view analytics.funnel_elsewhere rename to funnel")
    failed.get_by_role("button", name="Try again").click()
    expect(page.locator("#funnel canvas")).to_be_visible()
    # Offline, what was read stays.
    page.context.set_offline(True)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#notice")).to_contain_text("does not answer")
    expect(page.locator("#funnel canvas")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#notice")).to_be_hidden()
