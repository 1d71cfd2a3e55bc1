"""make evaluate: figures by hand, nothing of the future, equal trials, a whole small run."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import psycopg
import pytest
from scipy import sparse

from harness import REPOSITORY, Instance, run
from pgfeed import load, synth
from pgfeed.components import COMPONENTS
from pgfeed.evaluation import (
    baselines,
    cutoffs,
    data,
    known,
    metrics,
    models,
    product,
    report,
    tuning,
)
from pgfeed.evaluation.asked import Asked
from pgfeed.evaluation.past import Past, distance_km, past_at
from pgfeed.load import BadInput
from pgfeed.progress import Stages
from pgfeed.staging import LoadRefused
from towns import BEGIN, DAYS, make_world, text, uid, write

REAL_DATA = REPOSITORY.parent / "shared/data"


def rewrite(folder: Path, name: str, edit: Callable[[list[dict[str, str]]], None]) -> None:
    with (folder / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    edit(rows)
    write(folder, name, rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate") / "towns"
    folder.mkdir()
    make_world(folder)
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def read(folder: Path) -> data.Data:
    return data.read(folder, Stages("evaluate"))


# --- metrics ----------------------------------------------------------------------------------


def test_ranks_count_what_comes_before() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.1])
    assert metrics.ranks(scores, np.array([0, 2, 3])).tolist() == [2, 3, 4]
    ties = np.array([3, 2, 1, 0])
    assert metrics.ranks(scores, np.array([0, 2, 3]), ties).tolist() == [3, 2, 4]
    assert metrics.best(scores, 3).tolist() == [1, 0, 2]
    assert metrics.best(scores, 3, ties).tolist() == [1, 2, 0]


def test_metrics_are_those_of_a_worked_example() -> None:
    recall, ndcg, mrr, served = metrics.values(np.array([3, 30, 10]), is_cold=False)
    ideal = 1 + 1 / np.log2(3) + 1 / np.log2(4)
    assert recall == pytest.approx(2 / 3)
    assert ndcg == pytest.approx((1 / np.log2(4) + 1 / np.log2(11)) / ideal)
    assert mrr == pytest.approx(1 / 3)
    assert np.isnan(served)
    assert metrics.values(np.array([201]), is_cold=True) == (0, 0, 0, 0)
    assert metrics.values(np.array([1]), is_cold=True) == (1, 1, 1, 1)
    # More positives than places: the best order still has a gain of 1.
    assert metrics.values(np.arange(1, 31), is_cold=False)[:2] == (pytest.approx(20 / 30), 1)


def test_a_user_counts_once_and_coverage_counts_listings() -> None:
    values = np.array([[1.0, np.nan], [0.0, np.nan], [0.0, 1.0]])
    means = metrics.by_user(values, np.array([7, 7, 3]))
    np.testing.assert_array_equal(means, [[0, 1], [0.5, np.nan]])
    assert metrics.coverage([np.array([1, 2]), np.array([2])], np.array([1, 2, 2, 3, 4])) == 0.5


def test_intervals_are_of_the_same_resamples() -> None:
    weights = metrics.resamples(4, seed=1)
    assert weights.shape == (metrics.RESAMPLES, 4)
    assert set(weights.sum(axis=1)) == {4}
    ours, theirs = np.array([0.1, 0.5, 0.2, 0.9]), np.array([0.0, 0.4, 0.1, 0.8])
    # Always better by as much: of the pairs there is no doubt, whatever the users are like.
    difference = metrics.estimate(ours - theirs, weights)
    assert (difference.low, difference.high) == (pytest.approx(0.1), pytest.approx(0.1))
    alone = metrics.estimate(ours, weights)
    assert alone.value == pytest.approx(ours.mean())
    assert alone.low < 0.3 < 0.6 < alone.high
    assert np.isnan(metrics.estimate(np.full(4, np.nan), weights).value)


# --- what was known ---------------------------------------------------------------------------


def test_cut_offs_roll_over_the_last_fifth(folder: Path) -> None:
    world = read(folder)
    rolled = cutoffs.rolling(world, step_days=12)
    times = np.sort(world.at[world.type == data.APPLY])
    assert rolled[0].at <= times[int(len(times) * 0.8)] < rolled[0].at + cutoffs.HOUR
    assert rolled[-1].until == times[-1]
    assert [one.at % cutoffs.HOUR for one in rolled] == [0] * len(rolled)
    assert [one.is_test for one in rolled] == sorted(one.is_test for one in rolled)
    assert {one.is_test for one in rolled} == {False, True}
    for one in rolled:
        assert np.all(world.created_at[one.listings] <= one.at)
        for user, listing in zip(one.users.tolist(), one.listings.tolist(), strict=True):
            done = (world.user == user) & (world.listing == listing) & (world.type == data.APPLY)
            assert one.at < world.at[done].min() <= one.until
    assert sum(one.unborn for one in rolled) > 0


def test_at_most_so_many_are_asked_and_always_the_same(folder: Path) -> None:
    world = read(folder)
    everybody, some = cutoffs.rolling(world, 4), cutoffs.rolling(world, 4, most_askers=5)
    assert max(len(one.askers) for one in everybody) > 5
    assert {len(one.askers) for one in some} == {5}
    for all_of_it, part in zip(everybody, some, strict=True):
        rows = np.isin(all_of_it.users, part.askers)
        assert part.listings.tolist() == all_of_it.listings[rows].tolist()
        assert (part.born, part.unborn) == (all_of_it.born, all_of_it.unborn)
    again = cutoffs.rolling(world, 4, most_askers=5)
    assert [one.askers.tolist() for one in again] == [one.askers.tolist() for one in some]


def test_a_step_is_a_week_if_that_is_sensible() -> None:
    week, day, hour = cutoffs.WEEK, cutoffs.DAY, cutoffs.HOUR
    assert cutoffs.step_for(20 * week) == week
    assert cutoffs.step_for(12 * day) == 2 * day
    assert cutoffs.step_for(400 * week) == 10 * week
    assert cutoffs.step_for(hour) == hour


@pytest.mark.parametrize(("n_prior", "is_positive"), [("0", True), ("1", False)])
def test_a_repetition_is_no_positive(copy: Path, n_prior: str, is_positive: bool) -> None:
    # A listing of the other town: nobody of this one ever applies there.
    away = {"user_uid": uid(1, 0), "listing_id": uid(2, 1), "type": "apply"}
    late = text(BEGIN + timedelta(days=DAYS - 2))

    def visit(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row["n_prior"] = "0"
        rows.append(away | {"ts": late, "n_prior": n_prior})

    rewrite(copy, "interactions", visit)
    world = read(copy)
    pairs = {
        (world.users[user]["user_uid"], world.listings[listing]["listing_id"])
        for one in cutoffs.rolling(world, 4)
        for user, listing in zip(one.users.tolist(), one.listings.tolist(), strict=True)
    }
    assert ((uid(1, 0), uid(2, 1)) in pairs) is is_positive
    assert len(pairs) > 20


def files(folder: Path) -> dict[str, list[str]]:
    return {path.name: sorted(path.read_text().splitlines()) for path in folder.iterdir()}


def test_nothing_of_the_future_and_nothing_undated_is_known(copy: Path, tmp_path: Path) -> None:
    world = read(copy)
    cutoff = cutoffs.rolling(world, 4)[0]
    at = data.instant(cutoff.at)
    before = tmp_path / "before"
    before.mkdir()
    known.write(world, cutoff, before)

    later = text(at + timedelta(seconds=1))
    newcomer = uid(2, 999)

    def add_listing(rows: list[dict[str, str]]) -> None:
        rows.append(rows[0] | {"listing_id": newcomer, "created_at": later, "tags": "new"})
        for row in rows:
            row["poster_rating"] = "1"
            row["status"] = "closed"

    def add_acts(rows: list[dict[str, str]]) -> None:
        someone = rows[0]["user_uid"]
        rows.append(rows[0] | {"listing_id": newcomer, "ts": later, "type": "apply"})
        rows.append(rows[0] | {"user_uid": someone, "ts": later, "type": "dismiss"})

    def move(rows: list[dict[str, str]]) -> None:
        for row in rows:
            if row["user_uid"] == uid(1, 5):
                row |= {"lat": "1", "lon": "1", "geo_known_from": later}
            row |= {"preferred_tags": "undated", "max_distance": "3"}

    rewrite(copy, "listings", add_listing)
    rewrite(copy, "interactions", add_acts)
    rewrite(copy, "users", move)
    write(copy, "user_tags", [{"user_uid": uid(1, 1), "tags": "topic0"}])
    write(copy, "posters", [{"poster_id": uid(3, 0), "average_rating": "2", "rating_count": "9"}])
    changed = read(copy)
    after = tmp_path / "after"
    after.mkdir()
    known.write(changed, cutoff_in(changed, cutoff, world), after)

    had, has = files(before), files(after)
    moved = [row for row in had["users.csv"] if row.startswith(uid(1, 5))]
    assert "47" in moved[0] or "46" in moved[0]
    had["users.csv"].remove(moved[0])
    had["users.csv"].append(f"{uid(1, 5)},,,,,,,")
    assert has == had | {"users.csv": sorted(had["users.csv"])}

    # And the baselines know no more.
    ours, theirs = past_at(world, cutoff), past_at(changed, cutoff_in(changed, cutoff, world))
    assert ours.matrix().sum() == theirs.matrix().sum() > 0
    assert theirs.place[5].tolist() == pytest.approx([np.nan] * 2, nan_ok=True)
    assert newcomer not in {changed.listings[listing]["listing_id"] for listing in theirs.listing}


def cutoff_in(changed: data.Data, cutoff: cutoffs.Cutoff, world: data.Data) -> cutoffs.Cutoff:
    """The same cut-off, with the positions of another reading."""
    position = {row["listing_id"]: place for place, row in enumerate(changed.listings)}
    listings = [position[world.listings[listing]["listing_id"]] for listing in cutoff.listings]
    return replace(cutoff, listings=np.array(listings, dtype=np.int32))


def test_times_move_by_whole_hours_to_the_last_hour(
    scratch: psycopg.Connection, folder: Path, tmp_path: Path
) -> None:
    world = read(folder)
    cutoff = cutoffs.rolling(world, 4)[0]
    known.write(world, cutoff, tmp_path)
    shift = product.shift_to_now(data.instant(cutoff.at))
    assert shift % timedelta(hours=1) == timedelta(0)
    assert timedelta(0) <= datetime.now(UTC) - data.instant(cutoff.at) - shift < timedelta(hours=1)
    load.load(scratch, tmp_path, True, Stages("load"), by=shift)
    newest = world.at[world.at <= cutoff.at].max()
    stored = "select max(created_at), count(*) from feed.user_interactions"
    assert scratch.execute(stored).fetchone() == (
        data.instant(newest) + shift,
        np.sum(world.at <= cutoff.at),
    )


def test_a_made_up_world_is_dated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "SYNTHETIC_SCALE", synth.Scale(20, 60, 300, 6_000, 3))
    world = data.synthetic(Stages("evaluate"))
    assert np.all(world.at >= world.created_at[world.listing])
    assert np.all(np.diff(world.created_at) <= 0)
    joined = [row["created_at"] for row in world.users]
    at = sorted(joined)[-2]
    late = joined.index(max(joined))
    assert known.user_at(world, late, data.micros(at))["lat"] is None
    wishes = [known.user_at(world, user, data.micros(at)) for user in range(60) if user != late]
    assert sum(bool(row["preferred_tags"]) for row in wishes) > 10
    assert sum(row["lat"] is not None for row in wishes) > 40
    cutoff = cutoffs.rolling(world, 2)[0]
    known.write(world, cutoff, tmp_path)
    assert "average_rating" in (tmp_path / "posters.csv").read_text()


# --- models -----------------------------------------------------------------------------------


@pytest.fixture
def little() -> Past:
    """Four users and five listings; the last user has done nothing."""
    done = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]])
    user, listing = np.nonzero(done)
    places = np.radians([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0], [np.nan, np.nan], [0.0, 4.0]])
    return Past(
        at=0,
        user=user.astype(np.int32),
        listing=listing.astype(np.int32),
        strength=np.ones(len(user)),
        age=np.arange(len(user), dtype=np.float64),
        shape=done.shape,
        tags=sparse.csr_matrix(np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1]], dtype=float)),
        place=np.radians([[0.0, 0.0], [0.0, 3.9], [np.nan, np.nan], [0.0, 0.0]]),
        listing_place=places,
        expires_at=np.array([5, 1, 4, 3, 2]),
    )


def test_baselines_are_what_their_names_say(little: Past) -> None:
    users = np.array([0, 1, 3])
    everybody = baselines.popular(little, users)
    np.testing.assert_allclose(everybody, [[2, 2, 2, 1, 0]] * 3)
    fading = baselines.popular(little, users, half_life=1.0)
    assert fading[0, 0] == pytest.approx(0.5**0 + 0.5**2)
    assert np.argsort(-baselines.nearest(little, users)[1]).tolist() == [4, 2, 1, 0, 3]
    assert np.argmax(baselines.soonest(little, users)[0]) == 1
    degree = distance_km(np.radians([0.0, 0.0]), np.radians([[0.0, 1.0]]))
    assert degree == pytest.approx(111.195, abs=0.001)

    tags = baselines.tag_cosine(little, users, half_life=np.inf, idf_power=0)
    assert tags[0] == pytest.approx([1, 1, np.sqrt(0.5), 0, 0])
    assert tags[2].tolist() == [0] * 5

    # User 0 is like user 1 by 2/√6, and like nobody else.
    neighbors = baselines.user_knn(little, users, neighbors=2, power=1, half_life=np.inf)
    assert neighbors[0] == pytest.approx([2 / np.sqrt(6)] * 3 + [0, 0])
    items = baselines.item_knn(little, users, neighbors=5, shrinkage=0, half_life=np.inf)
    assert items[0, 2] == pytest.approx(0.5 + 0.5, rel=1e-5)
    assert baselines.tie_order(little).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("regularization", [0.3, 10.0])
def test_ease_is_the_closed_form(little: Past, regularization: float) -> None:
    dense = little.matrix().toarray()
    for matrix in (dense, dense.T):
        users, listings = np.nonzero(matrix)
        past = Past(
            **vars(little)
            | {
                "user": users.astype(np.int32),
                "listing": listings.astype(np.int32),
                "shape": matrix.shape,
                "cache": {},
            }
        )
        inverse = np.linalg.inv(matrix.T @ matrix + regularization * np.eye(matrix.shape[1]))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        asked = np.arange(len(matrix))
        found = baselines.ease(past, asked, regularization, half_life=np.inf)
        np.testing.assert_allclose(found, matrix @ weights, atol=1e-5)


def test_als_finds_the_block_that_a_user_is_in() -> None:
    user, listing = np.nonzero(np.kron(np.eye(2), np.ones((6, 6))))
    kept = ~((user == 0) & (listing == 5))
    past = Past(
        at=0,
        user=user[kept].astype(np.int32),
        listing=listing[kept].astype(np.int32),
        strength=np.ones(kept.sum()),
        age=np.zeros(kept.sum()),
        shape=(12, 12),
        tags=sparse.csr_matrix((12, 1)),
        place=np.zeros((12, 2)),
        listing_place=np.zeros((12, 2)),
        expires_at=np.zeros(12, dtype=np.int64),
    )
    scores = baselines.als(past, np.array([0]), 4, 0.1, 10.0, np.inf)
    assert scores[0, 5] > scores[0, 6:].max()


def test_every_model_gets_the_same_number_of_trials() -> None:
    for baseline in baselines.BASELINES:
        tried: list[dict[str, object]] = []

        def value_of(setting: dict[str, object], tried: list = tried) -> float:
            tried.append(setting)
            return float(len(tried) == 2)

        tuned = tuning.tune_baseline(baseline, value_of, trials=5, seed=1)
        assert tried[0] == baseline.defaults
        assert set(baseline.space) == set(baseline.defaults)
        assert tuned.trials == len(tried) == (5 if baseline.space else 1)
        if baseline.space:
            assert tuned.setting == tried[1]


def test_a_feed_that_is_not_the_references_stops_the_run() -> None:
    listings, scores = np.array([4, 2, 9]), np.array([0.9, 0.8, 0.8])
    product.require_same(listings, scores, np.array([4, 9, 2]), "ann")
    for wrong in ([4, 2], [2, 4, 9], [4, 2, 2], [4, 2, 7]):
        with pytest.raises(product.FeedDiffers):
            product.require_same(listings, scores, np.array(wrong), "ann")


# --- a whole run ------------------------------------------------------------------------------


def evaluate(instance: Instance, *arguments: object, check: bool = True) -> CompletedProcess:
    return run(
        *(REPOSITORY / "bin/evaluate", *map(str, arguments)),
        env=instance.environment,
        check=check,
    )


@pytest.fixture(scope="module")
def output(instance: Instance, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    plot = tmp_path_factory.mktemp("plot") / "towns.svg"
    options = ("--home", instance.home, "--step", 12, "--trials", 3, "--seeds", 2, "--plot", plot)
    done = evaluate(instance, folder, *options)
    assert "<svg" in plot.read_text()
    assert "default" in done.stderr and "cold_served" in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def figures(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.slow
def test_a_run_prints_every_figure(figures: list[dict]) -> None:
    alone = {(f["model"], f["metric"]): f for f in figures if "versus" not in f}
    assert all(
        list(figure) == ["data", "model", "metric", "value", "low", "high"]
        for figure in alone.values()
    )
    names = {baseline.name for baseline in baselines.BASELINES} | {"default", "learned", "random"}
    # What the default profile does not weigh cannot be left out.
    names |= {f"without_{name}" for name in COMPONENTS[:7]}
    names |= {f"only_{name}" for name in COMPONENTS}
    for name in names:
        for metric in ("recall@20", "ndcg@10", "mrr"):
            figure = alone[name, metric]
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
        assert 0 < alone[name, "coverage"]["value"] <= 1
    assert alone["data", "positives"]["value"] >= 10
    assert alone["data", "cold_pairs"]["value"] >= 1
    assert 0 < alone["data", "removed_share"]["value"] < 1
    assert {figure["data"] for figure in figures} == {"towns"}

    versus = {(f["model"], f["versus"], f["metric"]): f for f in figures if "versus" in f}
    for ours in ("default", "learned"):
        for baseline in baselines.BASELINES:
            figure = versus[ours, baseline.name, "ndcg@10"]
            difference = alone[ours, "ndcg@10"]["value"] - alone[baseline.name, "ndcg@10"]["value"]
            assert figure["value"] == pytest.approx(difference, abs=2e-3)
            assert figure["low"] <= figure["value"] <= figure["high"]
    assert ("without_tag", "default", "mrr") in versus
    # Everybody stays in town, so where somebody is tells more than chance.
    assert alone["default", "ndcg@10"]["value"] > alone["random", "ndcg@10"]["value"]


@pytest.mark.slow
def test_the_components_rank_as_get_feed_does(instance: Instance, output: str) -> None:
    (file,) = (instance.home / "evaluate").glob("towns-*.npz")
    asked = Asked.load(file)
    assert len(asked.pairs(True)) and len(asked.pairs(False))
    for is_test in (False, True):
        pairs = asked.pairs(is_test)
        feed = models.judge_feed(asked, pairs)
        scored = models.judge_weights(asked, pairs, asked.weights)
        np.testing.assert_allclose(feed.values, scored.values, atol=1e-6)
        for ours, theirs in zip(feed.shown, scored.shown, strict=True):
            assert ours.tolist() == theirs.tolist()
    assert asked.values.min() >= 0 and asked.values.max() <= 1
    # The undated ratings of the two posters are not known: all posters are alike.
    poster = asked.values[:, COMPONENTS.index("poster")]
    assert poster.min() == poster.max()


@pytest.mark.slow
def test_answers_are_reused_and_nothing_is_left(
    instance: Instance, folder: Path, output: str
) -> None:
    options = ("--home", instance.home, "--step", 12, "--trials", 3, "--seeds", 2, "--reuse")
    assert evaluate(instance, folder, *options).stdout == output
    with instance.connect("postgres") as connection:
        left = "select count(*) from pg_database where datname like 'evaluate\\_%'"
        assert connection.execute(left).fetchone() == (0,)


def test_the_document_says_by_how_much_learned_is_above_each_baseline(tmp_path: Path) -> None:
    def model(name: str, kind: str, ndcg: list[float]) -> report.Model:
        values = np.tile(np.array(ndcg)[:, np.newaxis], len(metrics.METRICS))
        return report.Model(name, kind, values, 0.5, [{"half_life": 3.0}])

    found = [
        model("default", "ours", [0.2, 0.4]),
        model("learned", "ours", [0.5, 0.7]),
        model("popular", "baseline", [0.4, 0.6]),
        model("als", "baseline", [0.7, 0.9]),
        model("only_tag", "ablation", [0.1, 0.1]),
    ]
    facts = dict.fromkeys(
        ("users", "pairs", "cutoffs", "cold_pairs", "positives", "unborn_share", "removed_share"),
        1.0,
    )
    page = tmp_path / "docs/evaluation.md"
    page.parent.mkdir()
    page.write_text(
        "Before.\n\n<!-- towns: written by the bench -->\n<!-- towns: end -->\n\nAfter.\n"
    )
    report.document(report.Report("towns", facts, found, seed=1), tmp_path)
    text = page.read_text()
    assert text.startswith("Before.") and text.endswith("After.\n")
    assert (
        "NDCG@10 of `learned` less that of each baseline: popular +0.100 [+0.100, +0.100];"
        " als -0.200 [-0.200, -0.200].\n" in text
    )
    assert "| learned | 0.600 | 0.600 [0.500, 0.700] |" in text
    assert "- als: half_life 3" in text
    assert (tmp_path / "docs/evaluation/towns.svg").exists()


# --- refusals ---------------------------------------------------------------------------------


def test_bad_data_is_refused_with_reasons(instance: Instance, copy: Path) -> None:
    refused = evaluate(instance, copy / "nowhere", check=False)
    assert refused.returncode != 0
    assert "there is no folder" in refused.stderr
    assert evaluate(instance, "", check=False).returncode != 0

    rewrite(copy, "interactions", lambda rows: rows[3].update(ts="yesterday"))
    refused = evaluate(instance, copy, check=False)
    assert refused.returncode == 1
    assert "interactions.csv:5: ts 'yesterday' is not an ISO 8601 time" in refused.stderr
    assert refused.stdout == ""


def test_rows_that_point_nowhere_are_named(copy: Path) -> None:
    rewrite(copy, "interactions", lambda rows: rows[0].update(listing_id=uid(2, 777)))
    with pytest.raises(BadInput, match=f"interactions.csv:2: listing_id {uid(2, 777)}"):
        read(copy)
    (copy / "users.csv").unlink()
    with pytest.raises(LoadRefused, match=r"users\.csv"):
        read(copy)


def test_too_little_to_judge_is_said(copy: Path) -> None:
    rewrite(copy, "interactions", lambda rows: rows.__delitem__(slice(5, None)))
    with pytest.raises(cutoffs.TooLittle, match="too few to split"):
        cutoffs.rolling(read(copy))


def test_a_real_set_can_be_judged() -> None:
    folder = REAL_DATA / "meetup_montana"
    if not folder.exists():
        pytest.skip("the real data is not on this machine")
    world = read(folder)
    rolled = cutoffs.rolling(world)
    assert len(rolled) > 20
    assert sum(len(one.users) for one in rolled if one.is_test) > 400
    # Who never acted before is asked too.
    assert any(
        set(one.askers.tolist()) - set(world.user[world.at <= one.at].tolist()) for one in rolled
    )
