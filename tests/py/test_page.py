"""The client page in real Chromium: what a user does there, and what the database then knows."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urljoin

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from browser import Visitor, violations, wide_parts
from harness import Instance
from pgfeed.instance import signed_token
from world import Town

pytestmark = pytest.mark.usefixtures("quiet")

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DESK = {"viewport": {"width": 1280, "height": 900}}

# Everything that waits in this browser to be sent, for whomever.
WAITING = """() => Object.keys(localStorage).filter((key) => key.startsWith("pgfeed.outbox."))"""


def some_listings(here: Town, count: int = 6, **fields: object) -> list[str]:
    """Listings ever farther away, so in the order of the feed."""
    return here.listings(
        {
            "title": f"Walk number {n}",
            "km": n,
            "tags": ["walks", f"route-{n}"],
            "compensation": 20 + n,
            "currency": "EUR",
            "description": "Up the hill.\n\nAnd down again.",
        }
        | fields
        for n in range(1, count + 1)
    )


@pytest.fixture
def enter(visitor: Visitor, instance: Instance) -> Callable[..., Page]:
    """Opens the page as a user and waits for the feed (`waits=False`: does not)."""

    def enter(user: str | None, path: str = "/", *, waits: bool = True, **options: object) -> Page:
        token = user and instance.token(user)
        page = visitor.open(path, token, **(DESK | options))
        if waits:
            expect(cards(page).first).to_be_visible()
        return page

    return enter


def cards(page: Page) -> Locator:
    return page.get_by_role("article")


def card(page: Page, title: str) -> Locator:
    return cards(page).filter(has_text=title)


def press(scope: Page | Locator, name: str) -> None:
    scope.get_by_role("button", name=name).first.click()


def titles(page: Page) -> list[str]:
    return page.locator(".card h3").all_inner_texts()


def settle(page: Page) -> None:
    """Until everything has been sent."""
    page.wait_for_function(f"() => ({WAITING})().length === 0")


def deeds(db: psycopg.Connection, user: str, *, looks: bool = False) -> Counter:
    """How often a user did what with each listing (by its title); or, how often they looked."""
    rows = db.execute(
        """
        select l.title, i.type::text
        from feed.user_interactions as i
        inner join feed.listings as l using (listing_id)
        where i.user_uid = %s and (i.type = 'view') = %s
        """,
        (user, looks),
    )
    return Counter(rows.fetchall())


def one(db: psycopg.Connection, query: str, *parameters: object) -> object:
    return db.execute(query, parameters).fetchone()[0]


@contextmanager
def held_up(instance: Instance, table: str) -> Iterator[None]:
    """While nobody can write to a table: requests that do wait."""
    with instance.connect(autocommit=False) as blocker:
        blocker.execute(f"lock table {table} in exclusive mode")
        yield


# ---------------------------------------------------------------------- the whole loop


def test_from_the_feed_to_the_database_and_back(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection
) -> None:
    user = here.user(preferred_tags=["walks"])
    some_listings(here, 8)
    first = [row["title"] for row in here.feed(user)]
    page = enter(user, viewport={"width": 1280, "height": 2400})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert titles(page) == first

    # A card says what is known, and nothing of what is not.
    nearest = card(page, "Walk number 1")
    expect(nearest).to_contain_text("€21")
    expect(nearest).to_contain_text("1 km away")
    expect(nearest).to_contain_text(re.compile(r"Poster quality \d+%"))
    expect(nearest).to_contain_text("of 2 tags")
    press(nearest, "Score")
    expect(nearest.locator("dt")).to_have_count(7)
    shown = sum(float(text) for text in nearest.locator("dd strong").all_inner_texts())
    assert shown == pytest.approx(100 * here.feed(user)[0]["score"], abs=0.4)

    press(card(page, "Walk number 2"), "Save")
    press(card(page, "Walk number 3"), "Apply")
    press(card(page, "Walk number 4"), "Share")
    assert "#listing/" in page.evaluate("navigator.clipboard.readText()")
    press(card(page, "Walk number 5"), "Not for me")
    press(card(page, "Walk number 6"), "Not for me")
    press(card(page, "Dismissed: Walk number 6"), "Undo")
    card(page, "Walk number 1").locator("h3 button").click()
    expect(page.get_by_role("dialog")).to_contain_text("And down again.")
    page.go_back()
    expect(page.get_by_role("dialog")).to_be_hidden()
    # Eight cards on a tall screen, long enough to be looked at.
    page.wait_for_timeout(5_200)
    page.reload()
    expect(page.locator("#view-feed .state")).to_contain_text("Nothing here for you yet")
    settle(page)

    assert deeds(db, user) == {
        ("Walk number 1", "click"): 1,
        ("Walk number 2", "save"): 1,
        ("Walk number 3", "apply"): 1,
        ("Walk number 4", "share"): 1,
        ("Walk number 5", "dismiss"): 1,
    }
    looks = deeds(db, user, looks=True)
    assert {title for title, _ in looks} >= set(first) - {"Walk number 5"}
    # Opened, and looked at.
    assert looks["Walk number 1", "view"] >= 2
    seconds = """
        select array_agg((metadata ->> 'seconds')::float order by metadata ->> 'seconds')
        from feed.user_interactions where user_uid = %s and type = 'view'
    """
    shortest, *others = sorted(one(db, seconds, user))
    assert 0 <= shortest < 5 <= min(others)
    shown = "select count(*) from feed.feed_impressions where user_uid = %s"
    assert one(db, shown, user) == 8
    counted = """
        select sum(save_count + apply_count + share_count + dismiss_count + click_count)
        from feed.engagement_metrics inner join feed.listings using (listing_id)
        where poster_uid = %s
    """
    assert one(db, counted, here.some_poster) == 5

    for name, title in (("Saved", "Walk number 2"), ("Applied", "Walk number 3")):
        page.get_by_role("link", name=name).click()
        expect(page.locator(f"#view-{name.lower()} h3")).to_have_text([title])
    # What was done at an earlier visit can be taken back, too.
    press(card(page, "Walk number 3").last, "Applied")
    expect(page.get_by_text("Your application is withdrawn.")).to_be_visible()
    settle(page)
    assert ("Walk number 3", "apply") not in deeds(db, user)


def test_a_dismissal_counts_at_once_and_can_be_undone_later(
    here: Town, enter: Callable[..., Page]
) -> None:
    user = here.user()
    walks = some_listings(here, 3)

    def dismissed() -> list[bool]:
        # Not whether it is in the feed: what a slow machine showed for five seconds was viewed.
        removed = [here.ask(user, f"/api/v1/explain/{walk}")["removed_by"] for walk in walks]
        return ["dismissed" in {rule["rule"] for rule in rules} for rules in removed]

    page = enter(user)
    press(card(page, "Walk number 2"), "Not for me")
    page.reload()
    expect(card(page, "Walk number 1")).to_be_visible()
    expect(card(page, "Walk number 2")).to_have_count(0)
    press(card(page, "Walk number 1"), "Not for me")
    settle(page)
    assert dismissed() == [True, True, False]
    press(card(page, "Walk number 1"), "Undo")
    settle(page)
    assert dismissed() == [False, True, False]


def test_scrolling_repeats_nothing_and_ends(here: Town, enter: Callable[..., Page]) -> None:
    user = here.user()
    some_listings(here, 45)
    page = enter(user)
    asked: list[dict] = []
    page.on(
        "request",
        lambda request: (
            asked.append(json.loads(request.post_data)) if "get_feed" in request.url else None
        ),
    )
    expect(cards(page)).to_have_count(20)
    newcomer = here.listing("A newcomer", km=0.1)
    while page.get_by_text("That is all for now").count() == 0:
        page.keyboard.press("End")
        page.wait_for_timeout(50)
    assert sorted(titles(page)) == sorted(
        ["A newcomer", *(f"Walk number {n}" for n in range(1, 46))]
    )
    assert [len(request["exclude"]) for request in asked] == [20, 40]
    assert newcomer not in asked[0]["exclude"]


# ---------------------------------------------------------------------- nothing lost, nothing twice


def test_offline_and_back(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection, visitor: Visitor
) -> None:
    visitor.expected = ("net::ERR_INTERNET_DISCONNECTED",)
    user = here.user()
    some_listings(here, 4)
    page = enter(user)
    page.context.set_offline(True)
    expect(page.get_by_text("You are offline. What you do is kept")).to_be_visible()
    press(card(page, "Walk number 1"), "Save")
    press(card(page, "Walk number 2"), "Apply")
    press(card(page, "Walk number 3"), "Not for me")
    press(card(page, "Walk number 3"), "Undo")
    press(page, "Refresh")
    expect(page.get_by_role("alert")).to_contain_text("You are offline")
    assert deeds(db, user) == {}
    queued = page.evaluate(WAITING)
    assert all(user in key for key in queued)

    page.context.set_offline(False)
    settle(page)
    # The list came back by itself, without what was done meanwhile.
    expect(page.locator(".card h3")).to_have_text(["Walk number 3", "Walk number 4"])
    assert deeds(db, user) == {("Walk number 1", "save"): 1, ("Walk number 2", "apply"): 1}
    late = "select count(*) from feed.user_interactions where user_uid = %s and created_at > now()"
    assert one(db, late, user) == 0


def test_reload_with_a_full_queue_and_two_tabs(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection, instance: Instance
) -> None:
    """The server takes the events, but the answer is lost with the page: each is sent again."""
    user = here.user()
    some_listings(here, 6)
    page = enter(user)
    other = page.context.new_page()
    other.goto("/")
    expect(cards(other)).to_have_count(6)
    with held_up(instance, "feed.interaction_keys"):
        press(card(page, "Walk number 1"), "Save")
        press(card(page, "Walk number 2"), "Not for me")
        press(card(other, "Walk number 3"), "Not for me")
        press(card(other, "Walk number 4"), "Apply")
        page.reload()
        # Not recorded yet, and yet it does not come back.
        expect(card(page, "Walk number 1")).to_be_visible()
        assert not {"Walk number 2", "Walk number 3", "Walk number 4"} & set(titles(page))
        assert len(page.evaluate(WAITING)) >= 4
        assert deeds(db, user) == {}
    settle(page)
    settle(other)
    assert deeds(db, user) == {
        ("Walk number 1", "save"): 1,
        ("Walk number 2", "dismiss"): 1,
        ("Walk number 3", "dismiss"): 1,
        ("Walk number 4", "apply"): 1,
    }

    # A tab that is closed at once leaves its event to the other, which has nothing else to do.
    page.wait_for_timeout(2_500)
    press(card(other, "Walk number 5"), "Save")
    other.close()
    settle(page)
    assert deeds(db, user)["Walk number 5", "save"] == 1


def test_too_many_requests_are_waited_for(
    here: Town,
    enter: Callable[..., Page],
    db: psycopg.Connection,
    instance: Instance,
    visitor: Visitor,
) -> None:
    visitor.expected = ("status of 429",)
    user = here.user()
    some_listings(here, 3)
    page = enter(user)
    settings = dict(instance.settings)
    instance.settings.update(PGFEED_TOKEN_RATE="1")
    instance.up("--no-deploy")
    try:
        for _ in range(4):
            press(page, "Refresh")
        expect(page.get_by_role("alert")).to_contain_text("The feed is busy")
        press(card(page, "Walk number 1"), "Save")
        press(card(page, "Walk number 2"), "Apply")
        press(card(page, "Walk number 3"), "Not for me")
        settle(page)
        expect(page.get_by_role("alert")).to_have_count(0)
    finally:
        instance.settings.update(settings)
        instance.up("--no-deploy")
    assert deeds(db, user) == {
        ("Walk number 1", "save"): 1,
        ("Walk number 2", "apply"): 1,
        ("Walk number 3", "dismiss"): 1,
    }


def test_a_listing_that_closed_meanwhile_stops_nothing(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection, visitor: Visitor
) -> None:
    visitor.expected = ("net::ERR_INTERNET_DISCONNECTED", "status of 40")
    user = here.user()
    listings = some_listings(here, 3)
    page = enter(user)
    here.listings([{"listing_id": listings[0], "status": "closed"}])
    db.execute("delete from feed.listings where listing_id = %s", (listings[1],))
    here.posted.remove(listings[1])
    page.context.set_offline(True)
    press(card(page, "Walk number 1"), "Apply")
    press(card(page, "Walk number 2"), "Save")
    press(card(page, "Walk number 3"), "Save")
    # Nor does what no server takes: of a batch that is refused whole, the bad one alone is dropped.
    page.evaluate(
        """(user) => {
            for (const id of ["bad", "worse"]) {
                const item = {kind: "impression", id, at: Date.now(), no: 0, body: id};
                localStorage.setItem(`pgfeed.outbox.${user}.${id}`, JSON.stringify(item));
            }
            localStorage.setItem(`pgfeed.outbox.${user}.none`, "no item at all");
        }""",
        user,
    )
    page.wait_for_timeout(1_200)
    page.context.set_offline(False)
    expect(card(page, "Walk number 1").get_by_role("button", name="Closed")).to_be_visible()
    page.evaluate("(user) => localStorage.removeItem(`pgfeed.outbox.${user}.none`)", user)
    settle(page)
    assert deeds(db, user) == {("Walk number 3", "save"): 1}
    # One of the three listings is there no more, and its ticket is as bad as the made-up ones.
    shown = "select count(*) from feed.feed_impressions where user_uid = %s"
    assert one(db, shown, user) == 2


def test_what_one_did_is_never_sent_as_another(
    here: Town,
    enter: Callable[..., Page],
    db: psycopg.Connection,
    instance: Instance,
    visitor: Visitor,
) -> None:
    visitor.expected = ("net::ERR_INTERNET_DISCONNECTED",)
    ann, bob = here.user(), here.user()
    some_listings(here, 3)
    page = enter(ann)
    sign_in = "async (token) => (await import('/session.js')).session.signIn(token)"
    page.context.set_offline(True)
    press(card(page, "Walk number 1"), "Save")
    page.evaluate(sign_in, instance.token(bob))
    page.context.set_offline(False)
    expect(cards(page)).to_have_count(3)
    press(card(page, "Walk number 2"), "Save")
    page.wait_for_function(f"(bob) => !({WAITING})().some((key) => key.includes(bob))", arg=bob)
    assert deeds(db, bob) == {("Walk number 2", "save"): 1}
    # Hers may have gone with the page of hers, under her own name, or wait for her.
    assert set(deeds(db, ann)) <= {("Walk number 1", "save")}
    press(page, "Sign out")
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('pgfeed.token')") is None

    page.evaluate(sign_in, instance.token(ann))
    settle(page)
    assert deeds(db, ann) == {("Walk number 1", "save"): 1}
    assert deeds(db, bob) == {("Walk number 2", "save"): 1}

    # A token that is renewed is the next one to be sent, and disturbs nobody.
    card(page, "Walk number 3").locator("h3 button").click()
    renewed = signed_token(instance.secret, ann, valid_for=timedelta(days=2))
    with page.expect_request("**/track_interactions") as sent:
        page.evaluate(sign_in, renewed)
        press(page.get_by_role("dialog"), "Save")
    assert sent.value.headers["authorization"] == f"Bearer {renewed}"


# ---------------------------------------------------------------------- preferences, other lists


def test_preferences_change_the_feed_at_once(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection
) -> None:
    user = here.user()
    some_listings(here, 4)
    here.listing("Far away", km=40, tags=["golf"])
    page = enter(user)
    shown = page.locator(".card h3")
    expect(shown).to_have_count(5)
    page.get_by_label("Distance").select_option("Within 10 km")
    expect(shown).to_have_count(4)
    page.get_by_label("Tags I like").last.fill("Route-3")
    page.keyboard.press("Enter")
    expect(shown.first).to_have_text("Walk number 3")
    blocked = page.get_by_label("Never show").last
    blocked.fill("route-3, route-1")
    blocked.press("Enter")
    expect(shown).to_have_text(["Walk number 2", "Walk number 4"])
    press(page, "Remove route-1")
    expect(shown).to_have_count(3)
    page.get_by_label("Personalise my feed").click()
    page.get_by_text("Enter coordinates").click()
    page.get_by_label("Latitude").fill(str(here.lat + 2))
    press(page, "Set place")
    expect(page.locator("#view-feed .state")).to_contain_text("Nothing here for you yet")
    expect(page.get_by_text("Saved. Your feed follows.")).to_be_visible()
    stored = db.execute(
        """
        select max_distance, preferred_tags, blocked_tags, personalization_enabled,
            round(ext.st_y(location::ext.geometry)::numeric, 3)::float
        from feed.user_feed_preferences inner join feed.users using (user_uid)
        where user_uid = %s
        """,
        (user,),
    ).fetchone()
    assert stored == (10, [], ["route-3"], False, pytest.approx(here.lat + 2, abs=0.001))


def test_what_is_typed_stays_when_something_else_is_stored(
    here: Town, enter: Callable[..., Page]
) -> None:
    some_listings(here, 1)
    page = enter(here.user())
    expect(page.locator(".card h3")).to_have_count(1)
    page.get_by_text("Enter coordinates").click()
    latitude = page.get_by_label("Latitude")
    latitude.fill("12.5")
    page.get_by_label("Personalise my feed").click()
    expect(page.get_by_text("Saved. Your feed follows.")).to_be_visible()
    expect(latitude).to_have_value("12.5")


def test_without_a_token_there_is_trending(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection
) -> None:
    listings = some_listings(here, 2)
    here.track(here.user(), listings[1], "apply")
    db.execute("call jobs.refresh_engagement()")
    db.execute("call jobs.refresh_trending()")
    page = enter(None, waits=False)
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    expect(page.locator(".demo-picker")).to_have_count(0)
    page.get_by_role("link", name="See what is trending").click()
    expect(page.locator(".card h3").first).to_have_text("Walk number 2")
    expect(page.get_by_role("button", name="Apply")).to_have_count(0)
    cards(page).first.locator("h3 button").click()
    expect(page.get_by_role("dialog")).to_contain_text("Up the hill.")


def test_a_token_that_is_not_believed(
    enter: Callable[..., Page], visitor: Visitor, here: Town, instance: Instance
) -> None:
    visitor.expected = ("status of 401",)
    page = visitor.open("/", instance.token(here.user()) + "x")
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    expect(page.get_by_text("Your sign-in has expired")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('pgfeed.token')") is None


def test_the_demos_picker(
    here: Town, visitor: Visitor, instance: Instance, db: psycopg.Connection
) -> None:
    """Only where bin/demo has made tokens; they are none of other origins' business."""
    some_listings(here, 2)
    # Nobody blocks more, so of that kind it is this one.
    user = here.user(blocked_tags=[f"tag-{n}" for n in range(9)])
    with instance.client() as client:
        assert client.get("/demo/users.json").status_code == 204
    folder = instance.home / "demo"
    folder.mkdir()
    try:
        (folder / "users.json").write_text(instance.bin("pgfeed", "demo-users").stdout)
        instance.up("--no-deploy")
        with instance.client() as client:
            answer = client.get("/demo/users.json", headers={"Origin": "http://example.org"})
            assert "access-control-allow-origin" not in answer.headers
            assert answer.headers["cache-control"] == "no-store"
            people = answer.json()
            assert people[-1]["role"] == "feed_analyst"
            assert client.get("/demo/users.json", headers={"Host": "evil.example"}).text == ""
        (label,) = (person["label"] for person in people if person["user_uid"] == user)
        page = visitor.open("/", **DESK)
        page.get_by_label("Demo: act as").select_option(label)
        expect(cards(page)).to_have_count(2)
        page.get_by_label("Demo: act as").select_option("nobody")
        expect(page.locator("#view-feed")).to_contain_text("choose whom to act as")
    finally:
        shutil.rmtree(folder)
        instance.up("--no-deploy")


# ---------------------------------------------------------------------- for everybody


HOSTILE = (
    "<img src=x onerror=\"document.title='hurt'\"> & <b>bold</b>",
    "</script><script>document.title='hurt'</script>",
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} \u202egnorw",
    "W" * 300,
)


def test_hostile_listings_are_but_text(
    here: Town, enter: Callable[..., Page], instance: Instance
) -> None:
    """On a phone, so that the longest word must break, too."""
    user = here.user()
    for km, title in enumerate(HOSTILE, start=1):
        here.listing(
            title,
            km=km,
            description=title * 3,
            tags=[title[:200], "javascript:alert(1)"],
            url='https://listings.example/"><script>alert(1)</script>',
            image_url=f"{instance.url}/no'\"><script>alert(1)</script>",
        )
    page = enter(user, **PHONE)
    assert titles(page) == list(HOSTILE)
    assert wide_parts(page) == []
    for title in (HOSTILE[0], HOSTILE[3]):
        page.get_by_role("button", name=title, exact=True).click()
        expect(page.get_by_role("dialog").locator(".description")).to_have_text(title * 3)
        link = page.get_by_role("dialog").get_by_role("link")
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
        assert link.get_attribute("href").startswith("https://listings.example/%22%3E%3Cscript")
        assert wide_parts(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.title() == "For you · pgfeed"
    assert page.locator("main script, main b, main img[onerror]").count() == 0
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_label("Distance")).to_be_visible()
    assert wide_parts(page) == []


def test_with_the_keyboard_alone(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection
) -> None:
    user = here.user()
    some_listings(here, 3)
    page = enter(user)
    focused = page.locator(":focus")

    def keys(*names: str) -> None:
        for name in names:
            page.keyboard.press(name)

    keys("Tab")
    expect(focused).to_have_text("Skip to the listings")
    keys("Enter", "Tab", "Tab")
    expect(focused).to_have_text("Walk number 1")
    keys("PageDown")
    expect(focused).to_have_text("Walk number 2")
    keys("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    keys("Escape")
    expect(focused).to_have_text("Walk number 2")
    keys("Tab")
    expect(focused).to_have_accessible_name("Not for me: Walk number 2")
    keys("Enter")
    expect(focused).to_have_accessible_name("Undo Walk number 2")
    keys("Enter")
    expect(focused).to_have_text("Walk number 2")
    keys("Tab", "Tab", "Enter")
    expect(focused).to_have_attribute("aria-expanded", "true")
    keys("Tab", "Tab", "Enter")
    expect(focused).to_have_attribute("aria-pressed", "true")
    settle(page)
    assert deeds(db, user) == {("Walk number 2", "click"): 1, ("Walk number 2", "save"): 1}
    assert deeds(db, user, looks=True)["Walk number 2", "view"] >= 1


def test_the_score_shows_what_the_profile_weighs(
    here: Town, enter: Callable[..., Page], db: psycopg.Connection
) -> None:
    user = here.user()
    some_listings(here, 2)
    here.track(user, here.listing("Chosen before"), "save")
    weigh = (
        "update feed.ranking_profiles set tag_weight = {}, poster_affinity_weight = {},"
        " item_similarity_weight = {} where profile_name = 'default'"
    )
    db.execute(weigh.format(0, 0.15, 0.05))
    try:
        page = enter(user)
        of_known_poster = card(page, "Walk number 1")
        press(of_known_poster, "Score")
        expect(of_known_poster.locator("dt")).to_have_count(8)
        expect(of_known_poster).to_contain_text("A poster you chose before")
        expect(of_known_poster).to_contain_text("Goes with what you chose lately")
        expect(of_known_poster).not_to_contain_text("Tags you like")
        shown = sum(float(text) for text in of_known_poster.locator("dd strong").all_inner_texts())
        assert shown == pytest.approx(100 * here.feed(user)[0]["score"], abs=0.4)
        expect(of_known_poster.locator(".bar [data-part=poster_affinity]")).to_have_count(1)
    finally:
        db.execute(weigh.format(0.2, 0, 0))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_stands_in_anybodys_way(
    here: Town, enter: Callable[..., Page], scheme: str, visitor: Visitor
) -> None:
    """axe-core finds nothing, in whatever state the page is, on a phone and on a desk."""
    visitor.expected = ("net::ERR_INTERNET_DISCONNECTED",)
    user = here.user(preferred_tags=["walks"], blocked_tags=["golf"])
    some_listings(here, 4)
    page = enter(user, with_axe=True, color_scheme=scheme)
    press(card(page, "Walk number 1"), "Score")
    press(card(page, "Walk number 2"), "Not for me")
    press(card(page, "Walk number 3"), "Save")
    press(card(page, "Walk number 4"), "Apply")
    assert violations(page) == []
    card(page, "Walk number 3").locator("h3 button").click()
    press(page.get_by_role("dialog"), "Score")
    assert violations(page) == []
    page.keyboard.press("Escape")

    page.set_viewport_size(PHONE["viewport"])
    assert wide_parts(page) == []
    page.get_by_role("link", name="Settings").click()
    assert violations(page) == []
    page.get_by_role("link", name="Saved").click()
    expect(page.locator("#view-saved .card")).to_have_count(1)
    assert violations(page) == []
    page.context.set_offline(True)
    page.get_by_role("link", name="Trending").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


def test_pages_are_served_with_their_policy(instance: Instance) -> None:
    with instance.client() as client:
        page = client.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert page.headers["cache-control"] == "no-cache"
        assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304
        paths = re.findall(r'(?:href|src)="(/[^"#]+)"', page.text)
        for path in [*paths, "/vendor/chart.js"]:
            answer = client.get(path)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), path
        # All that the page loads is named in it, so that nothing waits for what imports it.
        scripts = {path for path in paths if path.endswith(".js")}
        imported = {
            urljoin(path, name)
            for path in scripts
            for name in re.findall(r'^import .*"(.+)";$', client.get(path).text, re.MULTILINE)
        }
        assert imported - scripts == set()
        assert client.post("/", content=b"x").status_code == 405
        assert client.get("/app/nothing.js").headers["content-type"].startswith("application/json")
