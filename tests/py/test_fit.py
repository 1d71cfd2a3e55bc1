"""pgfeed fit: planted weights are found, the later is never learned from, a whole small run."""

import json
import signal
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import numpy as np
import psycopg
import pytest

from harness import REPOSITORY, Instance, run
from pgfeed import load
from pgfeed.bench.server import Server
from pgfeed.components import COMPONENTS
from pgfeed.evaluation import cutoffs, data, known, product
from pgfeed.evaluation.asked import Collector
from pgfeed.evaluation.run import start
from pgfeed.fit import fitting as profiles
from pgfeed.fit import profile, replay, world
from pgfeed.fit import trials as searching
from pgfeed.fit import weights as fitting
from pgfeed.fit.decays import Decay, present, with_parameters
from pgfeed.fit.trials import learn
from pgfeed.fit.weights import Examples, Fitted, Unlearnable
from pgfeed.progress import Stages
from towns import make_world

PLANTED = np.array([0.3, 0.25, 0.2, 0.1, 0.05, 0.1, 0.0])
EVEN = np.full(len(PLANTED), 1 / len(PLANTED))


def made_up(
    planted: np.ndarray = PLANTED,
    groups: int = 240,
    size: int = 40,
    scale: float = 20.0,
    position_bias: float | None = None,
    seed: int = 1,
) -> Examples:
    """Groups in which the two best by the planted weights and chance are chosen.

    position_bias: they were shown in the order of other weights, and the odds of a choice fall
        with the logarithm of the position; None: no order
    """
    rng = np.random.default_rng(seed)
    values = rng.beta(1, 2, (groups, size, len(planted))).astype(np.float32)
    worth = scale * values @ planted
    position = None
    if position_bias is None:
        noisy = worth + rng.gumbel(size=worth.shape)
        chosen = noisy >= np.sort(noisy, axis=1)[:, -2:-1]
    else:
        shown = values @ np.roll(planted, 1) + rng.normal(0, 0.1, worth.shape)
        position = np.argsort(np.argsort(-shown, axis=1), axis=1) + 1
        odds = worth - worth.mean() - 2 - position_bias * np.log(position)
        chosen = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    return Examples(
        np.arange(groups + 1, dtype=np.int64) * size,
        values.reshape(-1, len(planted)),
        chosen.ravel(),
        np.arange(groups) // 3,
        np.arange(groups) * 8 // groups,
        None if position is None else position.ravel(),
    )


def fitted(examples: Examples, ridge: float = 1e-3, start: np.ndarray = EVEN) -> Fitted:
    groups = np.arange(len(examples))
    return fitting.fit(examples, groups, start, ridge, np.random.default_rng(0))


def without(examples: Examples, *components: int) -> Examples:
    values = examples.values.copy()
    values[:, list(components)] = 0.3
    return replace(examples, values=values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit") / "towns"
    folder.mkdir()
    make_world(folder)
    return folder


@pytest.fixture(scope="module")
def server(instance: Instance) -> Server:
    """The instance as the command sees it, with what scratch databases are copied from."""
    server = Server(REPOSITORY, instance.home)
    start(server, is_own=False)
    return server


# --- the arithmetic ---------------------------------------------------------------------------


def test_planted_weights_and_their_scale_are_found() -> None:
    found = fitted(made_up())
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights.min() >= 0
    assert found.weights == pytest.approx(PLANTED, abs=0.03)
    assert found.scale == pytest.approx(20, rel=0.15)
    assert found.position_effects is None


def test_the_order_that_was_shown_is_told_from_what_is_wanted() -> None:
    examples = made_up(position_bias=1.5)
    found = fitted(examples)
    assert found.weights == pytest.approx(PLANTED, abs=0.04)
    # -1.5 ln(position), of about the middle of each bucket that has any.
    middle = np.array([1, 2, 3, 4.5, 8, 15, 30])
    assert found.position_effects[:-1] == pytest.approx(-1.5 * np.log(middle), abs=0.6)
    naive = fitted(replace(examples, position=None))
    assert np.abs(naive.weights - PLANTED).max() > 2 * np.abs(found.weights - PLANTED).max()


def test_a_ridge_holds_on_to_the_weights_that_were() -> None:
    examples = made_up()
    start = np.roll(PLANTED, 2)
    errors = [
        np.abs(fitted(examples, ridge, start).weights - start).max() for ridge in (1e-3, 1, 1e3)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.01 < 0.1 < errors[0]


def test_every_user_counts_the_same() -> None:
    examples = made_up(groups=60)
    # One user who chooses the opposite, a thousand feeds of theirs: one voice among sixty.
    other = made_up(np.roll(PLANTED, 3), groups=500, seed=2)
    both = Examples(
        np.concatenate([examples.starts, examples.starts[-1] + other.starts[1:]]),
        np.concatenate([examples.values, other.values]),
        np.concatenate([examples.is_positive, other.is_positive]),
        np.concatenate([np.arange(60), np.full(500, 99)]),
        np.zeros(560, dtype=int),
    )
    alone = fitted(replace(examples, user=np.arange(60))).weights
    assert fitted(both).weights == pytest.approx(alone, abs=0.05)


def test_what_tells_nothing_weighs_nothing() -> None:
    found = fitted(without(made_up(), 4))
    assert found.weights[4] == 0
    assert found.weights.sum() == pytest.approx(1)
    # If nothing tells anything, all stays.
    dull = without(made_up(groups=9), *range(7))
    assert fitted(dull, start=PLANTED).weights == pytest.approx(PLANTED)


def test_what_speaks_against_a_choice_weighs_nothing() -> None:
    examples = made_up(np.array([0.5, 0.5, 0, 0, 0, 0, -0.5]))
    assert fitted(examples).weights[6] == 0
    # If everything does, all stays: weights are not negative.
    perverse = made_up(-PLANTED)
    assert fitted(perverse, start=PLANTED).weights == pytest.approx(PLANTED)


def test_components_that_are_the_same_share_their_weight() -> None:
    examples = made_up()
    values = examples.values.copy()
    values[:, 6] = values[:, 0]
    found = fitted(replace(examples, values=values))
    assert found.weights[0] + found.weights[6] == pytest.approx(PLANTED[0], abs=0.04)
    assert found.weights[1:6] == pytest.approx(PLANTED[1:6], abs=0.04)


def test_a_choice_that_can_be_told_without_fault_has_a_finite_scale() -> None:
    values = np.zeros((4, 7), dtype=np.float32)
    values[[0, 2], 1] = 1
    chosen = values[:, 1] > 0
    examples = Examples(np.array([0, 2, 4]), values, chosen, np.array([1, 2]), np.array([0, 1]))
    found = fitted(examples)
    assert found.weights[1] == 1
    assert 0 < found.scale < 1e4


def broken(change: dict[str, object]) -> Examples:
    return replace(made_up(groups=6), **change)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_positive": np.zeros(240, dtype=bool)}, "nobody chose one thing and left another"),
        ({"is_positive": np.ones(240, dtype=bool)}, "nobody chose one thing and left another"),
        ({"is_positive": np.ones(9, dtype=bool)}, "different lengths"),
        ({"period": np.zeros(5)}, "different lengths"),
        ({"position": np.ones(5)}, "different lengths"),
        ({"values": np.full((240, 7), np.nan, dtype=np.float32)}, "no finite number"),
        ({"values": np.zeros((240, 3), dtype=np.float32)}, "3 components, not 7"),
    ],
    ids=["none chosen", "all chosen", "choices", "periods", "positions", "nan", "components"],
)
def test_examples_that_teach_nothing_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(Unlearnable, match=reason):
        learn(broken(change), EVEN, trials=2)


def test_one_group_is_enough_to_go_on() -> None:
    examples = made_up(groups=1)
    found = learn(examples, EVEN, trials=3)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights.min() >= 0


def test_rounded_weights_sum_to_exactly_1() -> None:
    rng = np.random.default_rng(3)
    for count in (1, 3, 7, 9):
        for _ in range(200):
            weights = rng.dirichlet(np.full(count, 0.3))
            found = fitting.rounded(weights)
            assert sum(found) == Decimal(1)
            assert all(0 <= one <= 1 and one.as_tuple().exponent == -5 for one in found)
            assert np.abs(np.array(found, dtype=float) - weights).max() < 1e-5
    assert list(map(str, fitting.rounded(np.ones(3)))) == ["0.33334", "0.33333", "0.33333"]


# --- what is tried ----------------------------------------------------------------------------


def test_folds_are_judged_on_what_came_later() -> None:
    period = np.array([3, 1, 1, 2, 2, 5, 5, 9, 9, 9])
    folds = fitting.forward_folds(period, 3)
    assert len(folds) == 3
    for before, after in folds:
        assert len(before) and len(after)
        assert period[before].max() < period[after].min()
    assert len(np.unique(np.concatenate([after for _, after in folds]))) >= 6
    assert fitting.forward_folds(np.ones(5), 3) == []
    # However uneven: two periods make one fold.
    ((before, after),) = fitting.forward_folds(np.array([1] * 99 + [2]), 3)
    assert (len(before), len(after)) == (99, 1)


def test_nothing_changes_unless_it_is_better() -> None:
    # What is true already: fits only add noise.
    examples = made_up(groups=80, size=200)
    kept = learn(examples, PLANTED, trials=4)
    assert kept.ridge is None
    assert kept.value == kept.start_value
    assert kept.weights == pytest.approx(PLANTED)
    learned = learn(examples, np.roll(PLANTED, 3), trials=4)
    assert learned.value > learned.start_value
    assert learned.weights == pytest.approx(PLANTED, abs=0.07)
    assert learned.trials == 4
    again = learn(examples, np.roll(PLANTED, 3), trials=4)
    assert again.weights.tolist() == learned.weights.tolist()


def test_as_many_trials_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = made_up(groups=24)
    judged = []

    def count(examples: Examples, groups: np.ndarray, weights: np.ndarray) -> np.ndarray:
        judged.append(len(groups))
        return fitting.ndcg(examples, groups, weights)

    monkeypatch.setattr(searching, "ndcg", count)
    learn(examples, EVEN, trials=8)
    # The profile as it is and four fits, by folds; then three draws around a centre.
    folds = len(fitting.forward_folds(examples.period, searching.FOLDS))
    assert len(judged) == 5 * folds + 4


def test_positions_are_learned_around_in_trials_too() -> None:
    found = learn(made_up(position_bias=1.5), EVEN, trials=3)
    assert found.value > found.start_value
    assert found.weights == pytest.approx(PLANTED, abs=0.05)


def test_a_half_life_is_found() -> None:
    rng = np.random.default_rng(7)
    examples = made_up(groups=200)
    age = rng.exponential(20, len(examples.values)).astype(np.float32)
    age[::50] = np.nan
    values = examples.values.copy()
    values[:, 3] = np.where(np.isnan(age), 0.5, 0.5 ** (age / 10))
    worth = (20 * values @ np.array([0.2, 0, 0, 0.6, 0, 0.2, 0])).reshape(200, -1)
    noisy = worth + rng.gumbel(size=worth.shape)
    chosen = (noisy >= np.sort(noisy, axis=1)[:, -2:-1]).ravel()
    # They were asked with another half-life.
    asked = values.copy()
    asked[:, 3] = np.where(np.isnan(age), 0.5, 0.5 ** (age / 0.5))
    decay = Decay("recency_half_life", 3, age, np.log(2), 0.5, 0.25, 100.0)
    examples = replace(examples, values=asked, is_positive=chosen)
    found = learn(examples, EVEN, [decay], trials=15)
    assert 4 < found.parameters["recency_half_life"] < 25
    assert found.value > learn(examples, EVEN, trials=15).value
    # And the closed formula is the component.
    np.testing.assert_allclose(
        with_parameters(asked, [decay], {"recency_half_life": 10.0}), values, atol=1e-6
    )
    assert with_parameters(asked, [decay], present([decay])) is asked


# --- a database's world -----------------------------------------------------------------------


def exported(connection: psycopg.Connection, folder: Path) -> data.Data:
    world.export(connection, folder, Stages("fit"))
    return data.read(folder, Stages("fit"))


def test_a_database_is_read_as_the_folder_it_came_from(
    scratch: psycopg.Connection, folder: Path, tmp_path: Path
) -> None:
    load.load(scratch, folder, False, Stages("load"))
    read, original = exported(scratch, tmp_path), data.read(folder, Stages("fit"))
    acts = [
        sorted(
            (at, one.users[user]["user_uid"], listing, kind)
            for at, user, listing, kind in zip(
                *(getattr(one, name).tolist() for name in ("at", "user", "listing", "type")),
                strict=True,
            )
        )
        for one in (read, original)
    ]
    assert acts[0] == acts[1]
    for ours, theirs in zip(read.listings, original.listings, strict=True):
        assert ours["expires_at"] == theirs["starts_at"]
        assert ours["tags"] == sorted(theirs["tags"])
        for name in ("listing_id", "poster_id", "created_at", "lat", "lon"):
            assert ours[name] == theirs[name]


def test_wishes_count_from_their_last_change_and_refusals_always(
    scratch: psycopg.Connection, tmp_path: Path
) -> None:
    scratch.execute(
        """
        select tests.user('ann', preferred_tags => '{a|b,c}', max_distance => 5);
        select tests.user('bob', personalization_enabled => false, preferred_tags => '{c}');
        select tests.user('cid');
        select tests.listing('bicycle', tags => '{a|b,c}');
        select tests.interaction('cid', 'bicycle', 'apply');
        update feed.users set created_at = now() - interval '50 days';
        """
    )
    read = exported(scratch, tmp_path)
    user = {row["user_uid"]: place for place, row in enumerate(read.users)}
    ann, bob = (
        user[str(scratch.execute("select tests.user_uid(%s)", (name,)).fetchone()[0])]
        for name in ("ann", "bob")
    )
    now = data.micros(datetime.now(UTC))
    before = known.user_at(read, ann, now - cutoffs.DAY)
    after = known.user_at(read, ann, now)
    assert (before["preferred_tags"], before["max_distance"]) == (None, None)
    assert before["personalization_enabled"] is True
    assert (after["preferred_tags"], after["max_distance"]) == (["a¦b", "c"], 5)
    assert read.listings[0]["tags"] == ["a¦b", "c"]
    assert known.user_at(read, bob, now - cutoffs.DAY)["personalization_enabled"] is False


def test_the_operators_choices_go_along(
    scratch: psycopg.Connection, instance: Instance, template: str, tmp_path: Path
) -> None:
    scratch.execute(
        """
        update feed.ranking_profiles set location_weight = 0.2, tag_weight = 0.25,
            seen_window = '3 days';
        update feed.interaction_weights set weight = 4 where type = 'save';
        update ml.training_parameters set neighbor_count = 7;
        insert into feed.ranking_profiles (profile_name) values ('other');
        """
    )
    choices = world.export(scratch, tmp_path, Stages("fit"))
    look = """
    select p.profile_name, p.location_weight, p.seen_window, w.weight, t.neighbor_count
    from feed.ranking_profiles as p, feed.interaction_weights as w, ml.training_parameters as t
    where w.type = 'save'
    """
    with instance.scratch_database(template) as name, instance.connect(name) as connection:
        world.choose(connection, choices)
        world.choose(connection, choices)
        assert connection.execute(look).fetchall() == [
            ("default", Decimal("0.20000"), timedelta(days=3), 4, 7)
        ]


# --- the profile ------------------------------------------------------------------------------


def test_the_written_profile_ranks_as_it_was_judged(
    instance: Instance, folder: Path, server: Server
) -> None:
    read = data.read(folder, Stages("fit"))
    cutoff = cutoffs.rolling(read, step_days=12)[-1]
    weights = np.random.default_rng(1).dirichlet(np.ones(len(COMPONENTS)))
    written = profile.of(weights, {"recency_half_life": 2.75, "location_decay_km": 61.5})
    users = cutoff.askers[:4]
    with product.scratch(server) as database:
        as_of = product.fill(server, database, read, cutoff)
        with instance.connect(database) as connection:
            profile.write(connection, "other", written, {"by": "hand"}, True)
            row = connection.execute(
                """
                select recency_half_life, location_decay_km, seen_window, evaluation,
                    created_at > now() - interval '1 hour'
                from feed.ranking_profiles where profile_name = 'other'
                """
            ).fetchone()
            with pytest.raises(profile.Unwritable, match="a profile 'other' already"):
                profile.write(connection, "other", written, {}, True)
        assert row == (timedelta(days=2.75), 61.5, timedelta(days=30), {"by": "hand"}, True)
        asked, others = (
            list(product.ask(server, database, read, users, as_of, 1, name))
            for name in ("default", "other")
        )
        kept = product.profile(server, database, "default")
    collector = Collector()
    collector.add(0, cutoff, asked, users)
    flat = collector.collected(*kept)
    decayed = replay.with_decays(flat, written.parameters)
    assert len(flat) == len(users)
    for pair, answer in enumerate(others):
        rows = decayed.candidates(pair)
        np.testing.assert_allclose(decayed.values[rows], answer.values, atol=2e-6)
        order = np.argsort(-(answer.values @ written.array()), kind="stable")
        assert decayed.listing[rows][order][: len(answer.feed)].tolist() == answer.feed.tolist()
    assert np.abs(decayed.values - flat.values).max() > 0.1
    # And a part of the pairs is that part.
    part = replay.of_pairs(decayed, np.array([1, 3]))
    for place, pair in enumerate((1, 3)):
        np.testing.assert_array_equal(
            part.values[part.candidates(place)], decayed.values[decayed.candidates(pair)]
        )
        assert part.positives(place).tolist() == decayed.positives(pair).tolist()


def test_a_profile_is_the_mean_of_what_seeds_learned() -> None:
    count = len(COMPONENTS)
    weights = np.full((2, count), 0.001)
    weights[0, 0], weights[1, 1], weights[:, 2] = 0.4, 0.2, 0.3
    weights /= weights.sum(axis=1, keepdims=True)
    found = [
        searching.Learned(one, {"recency_half_life": half_life}, 0.1, 0.5, 0.4, 20)
        for one, half_life in zip(weights, (2.0, 7.0), strict=True)
    ]
    mean = profile.averaged(found)
    assert mean.parameters == {"recency_half_life": 3.74}
    assert sum(mean.weights.values()) == 1
    kept = list(mean.weights.values())
    # What weighs next to nothing would be computed for nothing.
    assert min(kept[:3]) > 0 and set(kept[3:]) == {0}
    assert mean.array()[:3] == pytest.approx(weights.mean(axis=0)[:3], rel=0.02)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("default", "'default' is made by hand"),
        ("Best one", "no name for a profile"),
        ("taken", "a profile 'taken' already"),
    ],
    ids=["default", "two words", "taken"],
)
def test_a_name_that_cannot_be_used_is_refused_at_once(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, name: str, reason: str
) -> None:
    scratch.execute("insert into feed.ranking_profiles (profile_name) values ('taken')")
    refused = fit(instance, scratch_name, "--profile", name, check=False)
    assert refused.returncode == 1
    assert reason in refused.stderr and "Nothing was written" in refused.stderr
    assert scratch.execute("select count(*) from feed.ranking_profiles").fetchone() == (2,)


def test_who_may_not_write_is_told_before_the_work(scratch: psycopg.Connection) -> None:
    scratch.execute("grant select on feed.ranking_profiles to service_role")
    scratch.execute("set role service_role")
    with pytest.raises(profile.Unwritable, match="may not write"):
        profile.check(scratch, "mine")


# --- a whole run ------------------------------------------------------------------------------


def fit(
    instance: Instance, database: str, *arguments: object, check: bool = True
) -> CompletedProcess:
    return run(
        *(REPOSITORY / "bin/pgfeed", "fit", "--home", instance.home, *map(str, arguments)),
        env=instance.environment | {"PGFEED_DATABASE": database},
        check=check,
    )


def left_over(instance: Instance) -> int:
    with instance.connect("postgres") as connection:
        left = "select count(*) from pg_database where datname like 'evaluate\\_%'"
        return connection.execute(left).fetchone()[0]


QUICK = ("--step", 12, "--trials", 6, "--seeds", 2)


@pytest.mark.slow
def test_a_profile_is_learned_from_a_database(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, folder: Path
) -> None:
    load.load(scratch, folder, False, Stages("load"))
    before = scratch.execute(
        "select to_jsonb(p) from feed.ranking_profiles as p where profile_name = 'default'"
    ).fetchone()
    dry = fit(instance, scratch_name, *QUICK, "--dry-run", "--json")
    evaluation = json.loads(dry.stdout)
    assert evaluation["written"] is False
    assert evaluation["profile"] == f"learned_{datetime.now(UTC):%Y%m%d}"
    count = "select count(*) from feed.ranking_profiles"
    assert scratch.execute(count).fetchone() == (1,)

    # The same answers and seeds: the same profile, written.
    done = fit(instance, scratch_name, *QUICK, "--reuse", "--profile", "towns")
    assert "using the answers" in done.stderr
    assert "location" in done.stdout and "ndcg@10" in done.stdout
    columns = ", ".join(f"{name}_weight" for name in COMPONENTS)
    *weights, stored, is_offered, half_life = scratch.execute(
        f"""
        select {columns}, evaluation, is_offered, recency_half_life
        from feed.ranking_profiles where profile_name = 'towns'
        """
    ).fetchone()
    assert sum(weights) == 1
    assert min(weights) >= 0
    assert stored == {
        name: value for name, value in evaluation.items() if name not in ("profile", "written")
    }
    ndcg = stored["metrics"]["ndcg@10"]
    assert is_offered is stored["won"] is (ndcg["difference"]["low"] > 0)
    assert ndcg["difference"]["value"] == pytest.approx(
        ndcg["learned"]["value"] - ndcg["default"]["value"], abs=1e-4
    )
    assert ("is offered" in done.stdout) is is_offered
    assert stored["fitted_on"]["until"] <= stored["judged_on"]["from"]
    assert stored["judged_on"]["positives"] >= 5
    assert len(stored["seeds"]) == 2
    assert half_life > timedelta(0)
    assert (
        before
        == scratch.execute(
            "select to_jsonb(p) from feed.ranking_profiles as p where profile_name = 'default'"
        ).fetchone()
    )
    assert left_over(instance) == 0


@pytest.mark.slow
def test_what_is_interrupted_leaves_nothing(
    instance: Instance, scratch: psycopg.Connection, scratch_name: str, folder: Path
) -> None:
    command = (REPOSITORY / "bin/pgfeed", "fit", "--home", instance.home, "--data", folder)
    process = subprocess.Popen(
        [*map(str, command), "--profile", "towns", "--step", "2"],
        env=instance.environment | {"PGFEED_DATABASE": scratch_name},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not left_over(instance) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == "" and "interrupted; nothing was written" in err
    assert left_over(instance) == 0
    assert scratch.execute("select count(*) from feed.ranking_profiles").fetchone() == (1,)


def test_too_little_is_said(instance: Instance, scratch_name: str, tmp_path: Path) -> None:
    refused = fit(instance, scratch_name, check=False)
    assert refused.returncode == 1
    assert "too few to split" in refused.stderr
    assert "Nothing was written" in refused.stderr
    nowhere = fit(instance, scratch_name, "--data", tmp_path / "nowhere", check=False)
    assert nowhere.returncode == 1 and "is not a folder" in nowhere.stderr
    absent = run(
        *(REPOSITORY / "bin/pgfeed", "fit", "--home", tmp_path, "--dry-run"),
        env=instance.environment,
        check=False,
    )
    assert absent.returncode == 1 and "there is no instance in" in absent.stderr


def test_who_refuses_personalisation_teaches_nothing(folder: Path) -> None:
    read = data.read(folder, Stages("fit"))
    read.users[3]["personalization_enabled"] = False
    read.users[4]["personalization_enabled"] = True
    pairs = np.arange(4)
    asked = SimpleNamespace(user=np.array([5, 3, 4, 3]))
    assert profiles.willing(asked, pairs, read).tolist() == [0, 2]
