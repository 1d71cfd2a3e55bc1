"""pgfeed fit: planted weights are found, the later is never learned from, a whole small run."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from pgfeed.fit import trials as searching
from pgfeed.fit import weights as fitting
from pgfeed.fit.decays import Decay, present, with_parameters
from pgfeed.fit.trials import learn
from pgfeed.fit.weights import Examples, Fitted, Unlearnable

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
    # Choices by chance: what is learned from them does not help later.
    rng = np.random.default_rng(5)
    examples = made_up(groups=80)
    chance = replace(examples, is_positive=rng.random(len(examples.values)) < 0.05)
    found = learn(chance, PLANTED, trials=4)
    assert found.value >= found.start_value
    assert (found.ridge is None) == (found.value == found.start_value)
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
