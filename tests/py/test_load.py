"""pgfeed load: what comes out of the CSV layout, and what is refused with nothing changed."""

import csv
import gzip
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from harness import REPOSITORY, Instance
from pgfeed import csv_layout, load, staging
from pgfeed.progress import Stages

VILLAGE = Path(__file__).parent / "data/village"
REAL_DATA = REPOSITORY.parent / "shared/data"

ANN = uuid.UUID("a0000000-0000-4000-8000-000000000001")
BOB = uuid.UUID("a0000000-0000-4000-8000-000000000002")
CID = uuid.UUID("a0000000-0000-4000-8000-000000000003")
DOT = uuid.UUID("a0000000-0000-4000-8000-000000000004")
POTTER = uuid.UUID("c0000000-0000-4000-8000-000000000001")
POTTERY, MOVING, CHESS, BAR, NOTHING = (
    uuid.UUID(f"b0000000-0000-4000-8000-00000000000{n}") for n in range(1, 6)
)

TABLES = (
    "users",
    "user_feed_preferences",
    "posters",
    "listings",
    "user_interactions",
    "interaction_keys",
    "user_listing_states",
    "engagement_metrics",
)


def fingerprint(connection: psycopg.Connection) -> dict[str, tuple]:
    """How many rows each table has, and a hash of all of them."""
    return {
        table: connection.execute(
            f"select count(*), md5(string_agg(t::text, '|' order by t::text)) from feed.{table} t"
        ).fetchone()
        for table in TABLES
    }


def load_folder(
    connection: psycopg.Connection, folder: Path, is_shifted: bool = False
) -> dict[str, int]:
    return load.load(connection, folder, is_shifted, Stages("load"))


def one(connection: psycopg.Connection, query: str, *parameters: object) -> tuple:
    return connection.execute(query, parameters).fetchone()


@pytest.fixture
def village(tmp_path: Path) -> Path:
    """A copy of the hand-made world, to be changed."""
    folder = tmp_path / "village"
    shutil.copytree(VILLAGE, folder)
    return folder


def change(folder: Path, name: str, edit: Callable[[list[dict[str, str]]], None]) -> None:
    """Edits the rows of a file."""
    path = folder / name
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0])
    edit(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


# --- what comes out ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(instance: Instance, template: str) -> Iterator[psycopg.Connection]:
    """A database with the village in it; tests leave it as it is."""
    with (
        instance.scratch_database(template) as name,
        instance.connect(name) as connection,
    ):
        load_folder(connection, VILLAGE)
        yield connection


def test_users_come_with_place_age_and_preferences(loaded: psycopg.Connection) -> None:
    users = dict(
        loaded.execute(
            """
            select user_uid, (ext.st_y(location::ext.geometry), ext.st_x(location::ext.geometry),
                created_at)::text
            from feed.users
            """
        ).fetchall()
    )
    assert users == {
        ANN: '(47.5459,9.6836,"2024-01-10 08:00:00+00")',
        # as old as the first thing they did
        BOB: '(47.5031,9.7471,"2024-05-05 07:00:00+00")',
        CID: '(,,"2024-05-05 11:00:00+00")',
        DOT: '(0,0,"2024-02-01 11:30:00+00")',
        POTTER: '(,,"2024-05-01 09:00:00+00")',
    }
    preferences = {
        row[0]: row[1:]
        for row in loaded.execute(
            """
            select user_uid, preferred_tags, blocked_tags, max_distance, personalization_enabled
            from feed.user_feed_preferences
            """
        )
    }
    assert preferences == {
        ANN: (["clay", "pottery"], [], 25, True),
        # user_tags fill in for who prefers none, but what is blocked
        BOB: (["hiking"], ["chess"], None, False),
    }


def test_listings_come_with_everything(loaded: psycopg.Connection) -> None:
    listings = {
        row[0]: row[1:]
        for row in loaded.execute(
            """
            select listing_id, poster_uid, title, tags, location is null, compensation::text,
                currency, status::text, created_at, expires_at, external_id, url, description,
                attributes
            from feed.listings
            """
        )
    }

    def at(month: int, day: int, hour: int) -> datetime:
        return datetime(2024, month, day, hour, tzinfo=UTC)

    assert listings == {
        POTTERY: (
            *(POTTER, "Evening pottery class in Lindau", ["clay", "evening", "pottery"], False),
            *(None, None, "open", at(5, 1, 9), at(6, 1, 18), "kiln-1", "https://kiln.example/1"),
            *("Wheels, clay\nand tea", {"places": 8}),
        ),
        # expires_at counts before starts_at
        MOVING: (
            *(POTTER, "Moving help in Bregenz", ["boxes", "moving"], False, "85.50", "EUR"),
            *("open", at(5, 2, 9), at(5, 20, 0), "kiln-2", None, None, {}),
        ),
        CHESS: (
            *(None, "Chess training online", ["chess", "openings"], True, "0.00", None, "closed"),
            *(at(5, 3, 9), None, None, None, None, {}),
        ),
        # without a title the first tag is one; a user may be a poster
        BAR: (
            *(DOT, "Dive bar", ["bar", "dive-bar"], False, None, None, "open"),
            *(at(5, 3, 10), None, None, None, None, {}),
        ),
        # without created_at it is as old as the first interaction
        NOTHING: (
            *(None, "Untitled listing", [], False, None, None, "open"),
            *(at(5, 5, 11), None, None, None, None, {}),
        ),
    }


def test_posters_have_the_rating_of_their_newest_listing(loaded: psycopg.Connection) -> None:
    assert loaded.execute(
        "select poster_uid, average_rating, rating_count from feed.posters order by 1"
    ).fetchall() == [(DOT, None, 0), (POTTER, 4.8, 20)]


def test_interactions_come_with_seconds_and_ids(loaded: psycopg.Connection) -> None:
    at = datetime(2024, 5, 4, 10, 3, 0, 250_000, tzinfo=UTC)
    expected = uuid.uuid5(
        csv_layout.EVENT_NAMESPACE, f"{ANN}/{POTTERY}/apply/2024-05-04T10:03:00.250000Z"
    )
    assert one(
        loaded,
        "select event_id, metadata from feed.user_interactions where type = 'apply' and "
        "created_at = %s",
        at,
    ) == (expected, {})
    assert loaded.execute(
        "select metadata from feed.user_interactions where type = 'view' order by created_at"
    ).fetchall() == [({"seconds": 42},), ({"seconds": 3.5},), ({"seconds": 9},)]


def test_the_triggers_count(loaded: psycopg.Connection) -> None:
    # two views in an hour count once, two applications once; the poster's own never
    counters = loaded.execute(
        """
        select listing_id, view_count, click_count, apply_count, save_count, share_count,
            dismiss_count
        from feed.engagement_metrics
        """
    ).fetchall()
    assert sorted(counters) == [
        (POTTERY, 1, 1, 1, 1, 0, 0),
        (CHESS, 0, 0, 0, 0, 0, 1),
        (NOTHING, 0, 0, 0, 0, 1, 0),
    ]
    assert one(loaded, "select count(*) from feed.user_interactions") == (10,)


def test_foreign_keys_are_checked_again_after_a_load(loaded: psycopg.Connection) -> None:
    assert one(
        loaded, "select count(*) from pg_trigger where tgisinternal and tgenabled <> 'O'"
    ) == (0,)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        loaded.execute(
            "insert into feed.user_interactions (user_uid, listing_id, type) "
            "values (%s, %s, 'view')",
            [ANN, uuid.uuid4()],
        )


def test_the_same_again_changes_nothing(loaded: psycopg.Connection) -> None:
    before = fingerprint(loaded)
    counts = load_folder(loaded, VILLAGE)
    assert {name: count for name, count in counts.items() if count} == {
        "interactions known already": 10
    }
    assert fingerprint(loaded) == before
    # ids that were skipped leave no holes in the dense numbers
    assert one(loaded, "select max(user_no), count(*) from feed.users") == (5, 5)


# --- updates, shifts, other shapes ------------------------------------------------------------


def test_across_loads_an_id_is_an_update(scratch: psycopg.Connection, village: Path) -> None:
    load_folder(scratch, village)

    def move_ann(rows: list[dict[str, str]]) -> None:
        rows[0].update(lat="48.1", lon="11.5", max_distance="40")
        rows[1].update(lat="", lon="", blocked_tags="boxes")

    def change_listings(rows: list[dict[str, str]]) -> None:
        rows[0].update(title="Morning pottery", tags="clay", poster_rating="5", created_at="")
        rows[1].update(status="closed", poster_rating="3", lat="", lon="")

    change(village, "users.csv", move_ann)
    change(village, "listings.csv", change_listings)
    change(village, "interactions.csv", lambda rows: rows[0].update(ts="2024-05-04T11:30:00Z"))
    load_folder(scratch, village)

    assert one(
        scratch,
        "select ext.st_y(location::ext.geometry), max_distance from feed.users "
        "join feed.user_feed_preferences using (user_uid) where user_uid = %s",
        ANN,
    ) == (48.1, 40)
    # an empty field says nothing: what was there stays
    assert one(
        scratch,
        "select location is not null, preferred_tags, blocked_tags from feed.users "
        "join feed.user_feed_preferences using (user_uid) where user_uid = %s",
        BOB,
    ) == (True, ["hiking"], ["boxes"])
    assert one(
        scratch,
        "select title, tags, created_at from feed.listings where listing_id = %s",
        POTTERY,
    ) == ("Morning pottery", ["clay"], datetime(2024, 5, 1, 9, tzinfo=UTC))
    assert one(
        scratch,
        "select status, location is not null from feed.listings where listing_id = %s",
        MOVING,
    ) == ("closed", True)
    assert one(
        scratch, "select average_rating from feed.posters where poster_uid = %s", POTTER
    ) == (3,)
    assert one(scratch, "select count(*) from feed.user_interactions") == (11,)


def test_shift_makes_the_newest_interaction_now(scratch: psycopg.Connection, village: Path) -> None:
    started = datetime.now(UTC)
    load_folder(scratch, village, is_shifted=True)
    newest, first = one(
        scratch, "select max(created_at), min(created_at) from feed.user_interactions"
    )
    assert started - timedelta(seconds=2) <= newest <= datetime.now(UTC)
    assert newest - first == timedelta(days=2)
    moved = newest - datetime(2024, 5, 6, 10, tzinfo=UTC)
    assert one(
        scratch, "select created_at, expires_at from feed.listings where listing_id = %s", POTTERY
    ) == (
        datetime(2024, 5, 1, 9, tzinfo=UTC) + moved,
        datetime(2024, 6, 1, 18, tzinfo=UTC) + moved,
    )
    # event ids are those of the file's own times
    assert one(
        scratch,
        "select count(*) from feed.interaction_keys where event_id = %s",
        csv_layout.event_id(str(ANN), str(POTTERY), "view", datetime(2024, 5, 4, 10, tzinfo=UTC)),
    ) == (1,)


@pytest.mark.parametrize("is_shifted", [True, False])
def test_what_was_shifted_keeps_its_shift(
    scratch: psycopg.Connection, village: Path, is_shifted: bool
) -> None:
    load_folder(scratch, village, is_shifted=True)
    before = fingerprint(scratch)
    scratch.execute("select pg_sleep(1.1)")
    load_folder(scratch, village, is_shifted=is_shifted)
    assert fingerprint(scratch) == before


def test_gzip_byte_order_mark_and_windows_lines(
    scratch: psycopg.Connection, loaded: psycopg.Connection, village: Path
) -> None:
    for path in village.glob("*.csv"):
        text = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
        if path.name == "listings.csv":
            # a line end inside a field is the field's own
            text = text.replace(b"clay\r\nand", b"clay\nand")
        with gzip.open(path.with_suffix(".csv.gz"), "wb") as packed:
            packed.write(text)
        path.unlink()
    load_folder(scratch, village)

    def facts(connection: psycopg.Connection) -> tuple:
        return one(
            connection,
            "select string_agg(listing_id::text || title || tags::text, '|' order by listing_id), "
            "(select count(*) from feed.user_interactions) from feed.listings",
        )

    assert facts(scratch) == facts(loaded)


def test_posters_have_a_file_of_their_own(scratch: psycopg.Connection, village: Path) -> None:
    (village / "posters.csv").write_text(
        "poster_id,average_rating,rating_count,accepted_count,completed_count\n"
        f"{POTTER},3.25,7,9,8\n{DOT},,,,\n{CID},5,1,0,0\n"
    )
    load_folder(scratch, village)
    assert scratch.execute(
        "select poster_uid, average_rating, rating_count, accepted_count, completed_count "
        "from feed.posters order by 1"
    ).fetchall() == [(CID, 5, 1, 0, 0), (DOT, None, 0, 0, 0), (POTTER, 3.25, 7, 9, 8)]


def test_a_worker_may_load(
    instance: Instance, scratch_name: str, scratch: psycopg.Connection
) -> None:
    with instance.connect(scratch_name, user="feed_worker") as connection:
        load_folder(connection, VILLAGE)
    assert one(scratch, "select count(*) from feed.user_interactions") == (10,)


def test_nobody_else_may_load(instance: Instance, scratch_name: str) -> None:
    with (
        instance.connect(scratch_name, user="authenticator") as connection,
        pytest.raises(load.LoadRefused, match="the database user may not load"),
    ):
        load_folder(connection, VILLAGE)


def test_files_may_have_no_rows(scratch: psycopg.Connection, village: Path) -> None:
    (village / "interactions.csv").write_text("user_uid,listing_id,type,ts\n")
    (village / "user_tags.csv").unlink()
    load_folder(scratch, village, is_shifted=True)
    assert one(scratch, "select count(*) from feed.listings") == (5,)
    assert one(scratch, "select count(*) from feed.user_interactions") == (0,)


def test_unknown_columns_are_named(
    scratch: psycopg.Connection, village: Path, capsys: pytest.CaptureFixture
) -> None:
    load_folder(scratch, village)
    assert "users.csv: not loaded, the layout has no such column: shoe_size" in (
        capsys.readouterr().err
    )


# --- what is refused --------------------------------------------------------------------------


def set_field(name: str, row: int, column: str, value: str) -> Callable[[Path], None]:
    return lambda folder: change(folder, name, lambda rows: rows[row].update({column: value}))


def repeat_row(name: str, row: int, **changes: str) -> Callable[[Path], None]:
    return lambda folder: change(folder, name, lambda rows: rows.append(rows[row] | changes))


def drop_column(name: str, column: str) -> Callable[[Path], None]:
    def drop(folder: Path) -> None:
        path = folder / name
        header, rest = path.read_text().split("\n", 1)
        path.write_text(header.replace(column, "other", 1) + "\n" + rest)

    return drop


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content)


def append(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes() + content)


def pack(name: str, cut: int) -> Callable[[Path], None]:
    """The file gzipped, with its last bytes missing."""

    def packed(folder: Path) -> None:
        data = gzip.compress((folder / name).read_bytes())
        (folder / f"{name}.gz").write_bytes(data[: len(data) - cut])
        (folder / name).unlink()

    return packed


TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
STRANGER = "d0000000-0000-4000-8000-000000000009"

BAD_INPUT = {
    "missing file": (lambda f: (f / "users.csv").unlink(), "users.csv: there is no users.csv"),
    "both files": (
        lambda f: shutil.copy(f / "users.csv", f / "users.csv.gz"),
        "users.csv: users.csv and users.csv.gz are both there",
    ),
    "empty file": (write("listings.csv", b""), "listings.csv: is empty"),
    "missing column": (
        drop_column("listings.csv", "tags"),
        "listings.csv: has no column tags (it has: listing_id,",
    ),
    "missing columns": (
        write("interactions.csv", b"user_uid,when\n"),
        "interactions.csv: has no column listing_id and no column type and no column ts",
    ),
    "column twice": (
        write("users.csv", b"user_uid,lat,lon,lat\n"),
        "users.csv: has the column lat twice",
    ),
    "not gzip": (
        lambda f: (f / "users.csv").rename(f / "users.csv.gz"),
        "users.csv.gz: is not gzip, though its name ends in .gz",
    ),
    "cut gzip": (pack("users.csv", 12), "users.csv.gz: is cut off"),
    "bad encoding": (
        append("users.csv", b"a0000000-0000-4000-8000-00000000000f,1,1,,caf\xe9,,,,\n"),
        "users.csv: line 6 is not UTF-8 text (byte 0xe9)",
    ),
    "not CSV": (append("users.csv", b'"open quote,1,1\n'), "users.csv: line 6 is not CSV"),
    "too few fields": (
        append("users.csv", b"a0000000-0000-4000-8000-00000000000f,1\n"),
        "users.csv:6: has 2 fields; the header has 9",
    ),
    "too many fields": (
        append("interactions.csv", b"a,b,view,c,d,e\n"),
        "interactions.csv:12: has 6 fields; the header has 5",
    ),
    "bad latitude": (
        set_field("users.csv", 0, "lat", "90.01"),
        "users.csv:2: lat '90.01' is not between -90 and 90",
    ),
    "bad longitude": (
        set_field("listings.csv", 1, "lon", "-181"),
        "listings.csv:4: lon '-181' is not between -180 and 180",
    ),
    "latitude is no number": (
        set_field("users.csv", 3, "lat", "NaN"),
        "users.csv:5: lat 'NaN' is not a number",
    ),
    "latitude alone": (set_field("users.csv", 0, "lon", ""), "users.csv:2: lat without lon"),
    "longitude alone": (
        set_field("listings.csv", 0, "lat", " "),
        "listings.csv:3: lon without lat",
    ),
    "bad user": (
        set_field("users.csv", 2, "user_uid", "me"),
        "users.csv:4: user_uid 'me' is not a uuid",
    ),
    "no user": (
        set_field("interactions.csv", 2, "user_uid", ""),
        "interactions.csv:4: user_uid is empty",
    ),
    "bad listing": (
        set_field("listings.csv", 4, "listing_id", "{b0000000-0000-4000-8000-000000000005}"),
        "listings.csv:7: listing_id '{b0000000-0000-4000-8000-000000000005}' is not a uuid",
    ),
    "bad poster": (
        set_field("listings.csv", 4, "poster_id", "17"),
        "listings.csv:7: poster_id '17' is not a uuid",
    ),
    "unknown type": (
        set_field("interactions.csv", 0, "type", "like"),
        "interactions.csv:2: type 'like' is not one of view, click, apply, save, share, dismiss",
    ),
    "bad time": (
        set_field("interactions.csv", 1, "ts", "2024-13-01T00:00:00Z"),
        "interactions.csv:3: ts '2024-13-01T00:00:00Z' is not an ISO 8601 time",
    ),
    "seconds since 1970": (
        set_field("interactions.csv", 1, "ts", "1714816800"),
        "interactions.csv:3: ts '1714816800' is not an ISO 8601 time",
    ),
    "time of another age": (
        set_field("interactions.csv", 1, "ts", "0001-01-01T00:00:00Z"),
        "interactions.csv:3: ts '0001-01-01T00:00:00Z' is not between 1990 and 2200",
    ),
    "future": (
        set_field("interactions.csv", 1, "ts", TOMORROW),
        "lies in the future",
    ),
    "bad listing time": (
        set_field("listings.csv", 0, "starts_at", "soon"),
        "listings.csv:3: starts_at 'soon' is not an ISO 8601 time",
    ),
    "negative pay": (
        set_field("listings.csv", 1, "compensation", "-1"),
        "listings.csv:4: compensation '-1' is negative",
    ),
    "pay in words": (
        set_field("listings.csv", 1, "compensation", "85,50"),
        "listings.csv:4: compensation '85,50' is not a number",
    ),
    "pay in other digits": (
        set_field("listings.csv", 1, "compensation", "１２"),
        "listings.csv:4: compensation '１２' is not a number",
    ),
    "a tag of a page": (
        set_field("listings.csv", 1, "tags", "x" * 201),
        "has a tag of more than 200 characters",
    ),
    "rating": (
        set_field("listings.csv", 1, "poster_rating", "6"),
        "listings.csv:4: poster_rating '6' is not between 1 and 5",
    ),
    "currency": (
        set_field("listings.csv", 1, "currency", "euro"),
        "listings.csv:4: currency 'euro' is not a currency code",
    ),
    "status": (
        set_field("listings.csv", 1, "status", "gone"),
        "listings.csv:4: status 'gone' is not open or closed",
    ),
    "address": (
        set_field("listings.csv", 1, "url", "javascript:alert(1)"),
        "listings.csv:4: url 'javascript:alert(1)' is not an http(s) address",
    ),
    "attributes": (
        set_field("listings.csv", 1, "attributes", "[1]"),
        "listings.csv:4: attributes '[1]' is not a JSON object",
    ),
    "attributes too deep": (
        set_field("listings.csv", 1, "attributes", "[" * 5000),
        "is not JSON",
    ),
    "attributes too large": (
        set_field("listings.csv", 1, "attributes", '{"a": "' + "x" * 16_384 + '"}'),
        "has 16393 bytes; at most 16384 are allowed",
    ),
    "long title": (
        set_field("listings.csv", 1, "title", "x" * 301),
        "has 301 characters; at most 300 are allowed",
    ),
    "no distance": (
        set_field("users.csv", 0, "max_distance", "0"),
        "users.csv:2: max_distance '0' is not more than 0",
    ),
    "neither true nor false": (
        set_field("users.csv", 0, "personalization_enabled", "maybe"),
        "users.csv:2: personalization_enabled 'maybe' is not true or false",
    ),
    "preferred and blocked": (
        set_field("users.csv", 0, "blocked_tags", "CLAY"),
        "users.csv:2: tag 'clay' is both preferred and blocked",
    ),
    "seconds": (
        set_field("interactions.csv", 0, "seconds", "-3"),
        "interactions.csv:2: seconds '-3' is not between 0 and 86400",
    ),
    "user twice": (
        repeat_row("users.csv", 0, user_uid=str(ANN).upper()),
        f"users.csv:6: user_uid {ANN} is already on line 2",
    ),
    "listing twice": (
        repeat_row("listings.csv", 3, title="Again"),
        f"listings.csv:8: listing_id {BAR} is already on line 6",
    ),
    "interaction twice": (
        repeat_row("interactions.csv", 2, ts="2024-05-04T12:03:00.25+02:00"),
        "interactions.csv:12: the same user, listing, type and time are already on line 4",
    ),
    "external id twice": (
        repeat_row("listings.csv", 0, listing_id=STRANGER),
        f"listings.csv:9: external_id kiln-1 of poster {POTTER} is already on line 3",
    ),
    "unknown user": (
        repeat_row("interactions.csv", 0, user_uid=STRANGER),
        f"interactions.csv:12: user_uid {STRANGER} is no user of the files or the database",
    ),
    "unknown listing": (
        repeat_row("interactions.csv", 0, listing_id=STRANGER),
        f"interactions.csv:12: listing_id {STRANGER} is no listing of the files or the database",
    ),
    "tags of an unknown user": (
        append("user_tags.csv", f"{STRANGER},music\n".encode()),
        f"user_tags.csv:5: user_uid {STRANGER} is no user",
    ),
    "tags twice": (
        append("user_tags.csv", f"{CID},music\n".encode()),
        f"user_tags.csv:5: user_uid {CID} is already on line 4",
    ),
    "completed more than accepted": (
        write("posters.csv", f"poster_id,accepted_count,completed_count\n{POTTER},1,2\n".encode()),
        "posters.csv:2: completed_count is more than accepted_count",
    ),
    "poster twice": (
        write("posters.csv", f"poster_id\n{POTTER}\n{POTTER}\n".encode()),
        f"posters.csv:3: poster_id {POTTER} is already on line 2",
    ),
    "another poster than in the database": (
        set_field("listings.csv", 0, "poster_id", str(DOT)),
        f"listings.csv:3: poster_id {DOT}, but in the database the listing is that of {POTTER}",
    ),
    "NUL": (
        append("users.csv", b"a0000000-0000-4000-8000-00000000000f,1,1,,mu\x00sic,,,,\n"),
        "users.csv:6: preferred_tags 'mu\\x00sic' holds the character NUL",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_named_and_changes_nothing(
    loaded: psycopg.Connection, village: Path, case: str
) -> None:
    spoil, message = BAD_INPUT[case]
    # Something good goes with it, which must not be loaded either.
    change(village, "users.csv", lambda rows: rows[2].update(lat="1", lon="1"))
    before = fingerprint(loaded)
    spoil(village)
    with pytest.raises(load.LoadRefused) as refusal:
        load_folder(loaded, village)
    assert message in str(refusal.value)
    assert fingerprint(loaded) == before


def test_a_folder_must_be_one(loaded: psycopg.Connection, tmp_path: Path) -> None:
    with pytest.raises(load.LoadRefused, match="is not a folder"):
        load_folder(loaded, tmp_path / "nowhere")


def test_many_problems_are_counted_and_the_first_shown(
    loaded: psycopg.Connection, village: Path
) -> None:
    lines = [f"{STRANGER},{POTTERY},like,2024-05-0{1 + n % 9}T00:00:{n:02}Z," for n in range(50)]
    append("interactions.csv", ("\n".join(lines) + "\n").encode())(village)
    set_field("users.csv", 0, "lat", "1e3")(village)
    with pytest.raises(load.BadInput) as refusal:
        load_folder(loaded, village)
    assert refusal.value.count == 51
    assert len(refusal.value.problems) == 20
    text = str(refusal.value)
    assert text.startswith("51 problems in the input:\n  users.csv:2: lat '1e3'")
    assert text.endswith("… and 31 more")


def test_a_row_that_points_to_a_bad_row_is_not_blamed(
    loaded: psycopg.Connection, village: Path
) -> None:
    set_field("users.csv", 0, "lat", "north")(village)
    with pytest.raises(load.BadInput) as refusal:
        load_folder(loaded, village)
    assert [str(problem) for problem in refusal.value.problems] == [
        "users.csv:2: lat 'north' is not a number"
    ]


def test_a_failure_at_the_end_leaves_nothing(
    instance: Instance, scratch_name: str, scratch: psycopg.Connection
) -> None:
    scratch.execute(
        """
        create function public.fail() returns trigger language plpgsql as
        $$ begin raise exception 'no more room'; end $$;
        create trigger t99_fail after insert on feed.user_interactions
        for each statement execute function public.fail();
        """
    )
    before = fingerprint(scratch)
    with (
        instance.connect(scratch_name) as connection,
        pytest.raises(psycopg.errors.RaiseException),
    ):
        load_folder(connection, VILLAGE)
    assert fingerprint(scratch) == before
    assert one(
        scratch, "select count(*) from pg_trigger where tgisinternal and tgenabled <> 'O'"
    ) == (0,)


# --- beside others ----------------------------------------------------------------------------


def test_a_second_load_is_refused(
    instance: Instance, scratch_name: str, scratch: psycopg.Connection
) -> None:
    with (
        staging.only_load(scratch),
        instance.connect(scratch_name) as other,
        pytest.raises(load.LoadRefused, match="another load is running"),
    ):
        load_folder(other, VILLAGE)


def test_loading_and_live_writers_do_not_deadlock(
    instance: Instance, scratch_name: str, scratch: psycopg.Connection, village: Path
) -> None:
    load_folder(scratch, village)
    stop = threading.Event()
    written: list[int] = []
    failures: list[Exception] = []
    listings = [str(listing) for listing in (POTTERY, MOVING, CHESS, BAR, NOTHING)]

    def write_live(user: uuid.UUID) -> None:
        claims = f'{{"role": "authenticated", "sub": "{user}"}}'
        try:
            with instance.connect(scratch_name) as connection:
                connection.execute("select set_config('request.jwt.claims', %s, false)", [claims])
                connection.execute("set role authenticated")
                while not stop.is_set():
                    for listing in listings:
                        connection.execute(
                            "select api.track_interaction(%s::uuid, 'view')", [listing]
                        )
                        written.append(1)
        except psycopg.Error as error:
            failures.append(error)

    writers = [threading.Thread(target=write_live, args=[user]) for user in (ANN, BOB, CID, DOT)]
    for writer in writers:
        writer.start()
    try:
        for turn in range(5):
            change(
                village,
                "interactions.csv",
                lambda rows, turn=turn: [
                    row.update(ts=f"2024-05-1{turn}T10:0{n}:00Z") for n, row in enumerate(rows)
                ],
            )
            change(village, "users.csv", lambda rows, turn=turn: rows[0].update(lat=str(40 + turn)))
            with instance.connect(scratch_name) as connection:
                load_folder(connection, village)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not failures
    assert len(written) > 20
    assert one(scratch, "select count(*) from feed.user_interactions") == (60 + len(written),)
    counters = "listing_id, view_count, click_count, apply_count, save_count, share_count"
    assert (
        scratch.execute(f"select {counters} from feed.engagement_metrics order by 1").fetchall()
        == scratch.execute(f"select {counters} from feed.expected_engagement order by 1").fetchall()
    )


# --- the command ------------------------------------------------------------------------------


def command(
    instance: Instance, database: str, *arguments: str | Path
) -> subprocess.CompletedProcess:
    environment = instance.environment | {
        "PGDATABASE": database,
        "PYTHONPATH": str(REPOSITORY / "python"),
    }
    return subprocess.run(
        [sys.executable, "-m", "pgfeed", *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
    )


def test_the_command_says_what_it_did(instance: Instance, scratch_name: str) -> None:
    done = command(instance, scratch_name, "load", VILLAGE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "load: 5 users, 3 preferences, 2 posters, 5 listings, 10 interactions in "
    )
    assert "load: reading interactions.csv (" in done.stderr
    assert command(instance, scratch_name, "load", VILLAGE).stdout.startswith(
        "load: 10 interactions known already in "
    )


def test_the_command_says_what_is_wrong(
    instance: Instance, scratch_name: str, village: Path
) -> None:
    set_field("users.csv", 0, "lat", "95")(village)
    done = command(instance, scratch_name, "load", village)
    assert done.returncode == 1
    assert "1 problem in the input:\n  users.csv:2: lat '95' is not between -90 and 90\n" in (
        done.stderr
    )
    assert done.stderr.endswith("Nothing was loaded.\n")
    assert "Traceback" not in done.stderr


# --- real data --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "users", "listings", "interactions"),
    [("meetup_montana", 1765, 1391, 10_416), ("gowalla_california", 3039, 6731, 186_523)],
)
def test_real_data(
    scratch: psycopg.Connection, name: str, users: int, listings: int, interactions: int
) -> None:
    folder = REAL_DATA / name
    if not folder.is_dir():
        pytest.skip(f"the real data is not at {folder}")
    load_folder(scratch, folder, is_shifted=True)
    assert [
        one(scratch, f"select count(*) from feed.{table}")[0]
        for table in ("users", "listings", "user_interactions", "interaction_keys")
    ] == [users, listings, interactions, interactions]
    assert one(
        scratch, "select now() - max(created_at) < interval '1 minute' from feed.user_interactions"
    ) == (True,)
    before = fingerprint(scratch)
    load_folder(scratch, folder, is_shifted=True)
    assert fingerprint(scratch) == before
