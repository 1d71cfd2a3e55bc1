"""A whole run: ask the product at every cut-off, tune every model, judge them all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psycopg

from pgfeed.bench.server import Server
from pgfeed.components import COMPONENTS
from pgfeed.evaluation import known, metrics, models, product, tuning
from pgfeed.evaluation.asked import Asked, Collector
from pgfeed.evaluation.baselines import BASELINES, Baseline
from pgfeed.evaluation.cutoffs import Cutoff, TooLittle, rolling
from pgfeed.evaluation.data import Data
from pgfeed.evaluation.models import Judged
from pgfeed.evaluation.past import Past, past_at
from pgfeed.evaluation.report import Model, Report
from pgfeed.fit import replay as fitting
from pgfeed.fit.trials import Learned, learn
from pgfeed.progress import Stages

# Scratch databases need not outlive the machine.
POSTGRESQL_SETTINGS = "fsync = off\nmax_wal_size = 1GB\n"


@dataclass(frozen=True)
class Options:
    """How much of what.

    trials: a model and seed
    seeds: of tuning
    step_days: between two cut-offs, None: what suits the data
    askers: at a cut-off at most, None: all
    skip: baselines that are left out, by name
    """

    trials: int = 20
    seeds: int = 3
    step_days: float | None = None
    askers: int | None = None
    skip: tuple[str, ...] = ()
    sessions: int = 2
    is_reused: bool = False


Prepare = Callable[[psycopg.Connection], None]


def evaluate(server: Server, is_own: bool, data: Data, options: Options, stages: Stages) -> Report:
    """Everything about one data set. Raises TooLittle."""
    cutoffs, asked = replay(server, is_own, data, options, stages)
    return judge_all(data, cutoffs, asked, options, stages)


def replay(
    server: Server,
    is_own: bool,
    data: Data,
    options: Options,
    stages: Stages,
    prepare: Prepare | None = None,
    prepared: str = "",
) -> tuple[list[Cutoff], Asked]:
    """The cut-offs and all answers, with something to be found in either period.

    prepare: what is done to each scratch database before it is filled; prepared: tells the
        answers apart
    Raises TooLittle.
    """
    cutoffs = rolling(data, options.step_days, options.askers)
    file = server.home / "evaluate" / f"{data.name}-{_key(data, cutoffs, prepared)}.npz"
    if options.is_reused and file.exists():
        stages.note(f"using the answers in {file}")
        asked = Asked.load(file)
    else:
        start(server, is_own)
        try:
            asked = collect(server, data, cutoffs, options.sessions, stages, prepare)
        finally:
            # What is worth keeping is in the file below.
            if is_own and not product.is_in_use(server):
                server.bin("down")
        file.parent.mkdir(exist_ok=True)
        asked.save(file)
    for is_test in (False, True):
        if not len(asked.pairs(is_test)):
            period = "test" if is_test else "validation"
            raise TooLittle(f"in the {period} period no feed of {data.name} could have a positive")
    return cutoffs, asked


def start(server: Server, is_own: bool) -> None:
    """The instance, with a deployed database to copy from."""
    if is_own:
        server.home.mkdir(parents=True, exist_ok=True)
        settings = server.home / "postgresql.local.conf"
        if not settings.exists():
            settings.write_text(POSTGRESQL_SETTINGS)
        server.bin("up", "--no-http")
    server.bin("deploy", product.TEMPLATE)


def collect(
    server: Server,
    data: Data,
    cutoffs: list[Cutoff],
    sessions: int,
    stages: Stages,
    prepare: Prepare | None = None,
) -> Asked:
    """Loads, trains and asks at every cut-off."""
    collector = Collector()
    profile: tuple[np.ndarray, ...] = ()
    work = sum(len(cutoff.askers) for cutoff in cutoffs)
    with stages.stage(f"asking {work:,} feeds at {len(cutoffs)} cut-offs", work) as advance:
        for number, cutoff in enumerate(cutoffs):
            with product.scratch(server) as database:
                if prepare:
                    with server.connect(database) as connection:
                        prepare(connection)
                as_of = product.fill(server, database, data, cutoff)
                answers = product.ask(server, database, data, cutoff.askers, as_of, sessions)
                veterans = np.unique(data.user[: known.interactions_at(data, cutoff.at)])
                collector.add(number, cutoff, list(answers), veterans)
                profile = product.profile(server, database)
            advance(len(cutoff.askers))
    return collector.collected(*profile)


def judge_all(
    data: Data, cutoffs: list[Cutoff], asked: Asked, options: Options, stages: Stages
) -> Report:
    """Every model, tuned on the validation period, in the test period."""
    with stages.stage("histories", len(cutoffs)) as advance:
        pasts = {}
        for number, cutoff in enumerate(cutoffs):
            pasts[number] = past_at(data, cutoff)
            advance(1)
    judging = _Judging(asked, pasts, options, stages)
    found = [judging.feed(), judging.learned(), judging.random()]
    is_ending = any(row.get("expires_at") or row.get("starts_at") for row in data.listings)
    found += [
        judging.baseline(baseline)
        for baseline in BASELINES
        if baseline.name not in options.skip and (baseline.name != "soonest" or is_ending)
    ]
    found += judging.ablation()
    return Report(data.name, facts(asked, cutoffs), found, seed=1)


def facts(asked: Asked, cutoffs: list[Cutoff]) -> dict[str, float]:
    """Of the test period: who was asked, and how much of what they did was within reach."""
    pairs = asked.pairs(is_test=True)
    unborn, born = float(asked.positives_unborn[1]), float(asked.positives_born[1])
    return {
        "users": float(len(np.unique(asked.user[pairs]))),
        "pairs": float(len(pairs)),
        "cold_pairs": float(asked.is_cold[pairs].sum()),
        "cutoffs": float(sum(cutoff.is_test for cutoff in cutoffs)),
        "positives": float(np.sum(asked.positive_starts[pairs + 1] - asked.positive_starts[pairs])),
        "unborn_share": unborn / (unborn + born),
        "removed_share": float(asked.positives_removed[1] / asked.positives_asked[1]),
    }


class _Judging:
    """The models of one run."""

    def __init__(
        self, asked: Asked, pasts: dict[int, Past], options: Options, stages: Stages
    ) -> None:
        self._asked = asked
        self._pasts = pasts
        self._options = options
        self._stages = stages
        self._validation = asked.pairs(is_test=False)
        self._test = asked.pairs(is_test=True)
        self._users = asked.user[self._test]
        self._listings = np.unique(
            np.concatenate([asked.listing[asked.candidates(pair)] for pair in self._test.tolist()])
        )

    def feed(self) -> Model:
        """get_feed as it is."""
        with self._stages.stage("default"):
            judged = models.judge_feed(self._asked, self._test)
        return self._model("default", "ours", [judged], [_weights_text(self._asked.weights)])

    def learned(self) -> Model:
        """get_feed with the weights, half-life and decay that the validation period taught."""
        known = fitting.of_pairs(self._asked, self._validation)
        later = fitting.of_pairs(self._asked, self._test)
        examples, decays = fitting.examples(known), fitting.decays(known)

        def tune(seed: int) -> tuning.Tuned:
            found = learn(examples, self._asked.weights, decays, self._options.trials, seed)
            return tuning.Tuned(found, found.value, found.trials)

        def judge(found: Learned) -> Judged:
            decayed = fitting.with_decays(later, found.parameters)
            return models.judge_weights(decayed, np.arange(len(decayed)), found.weights)

        judged, settings = self._over_seeds("learned", tune, judge)
        texts = [_weights_text(found.weights) | found.parameters for found in settings]
        return self._model("learned", "ours", judged, texts)

    def baseline(self, baseline: Baseline) -> Model:
        """A baseline with the same number of trials."""

        def value_of(parameters: dict[str, object]) -> float:
            return self._worth(
                models.judge_baseline(
                    self._asked, self._validation, self._pasts, baseline, parameters, False
                )
            )

        def tune(seed: int) -> tuning.Tuned:
            return tuning.tune_baseline(baseline, value_of, self._options.trials, seed)

        def judge(parameters: dict[str, object]) -> Judged:
            return models.judge_baseline(self._asked, self._test, self._pasts, baseline, parameters)

        judged, settings = self._over_seeds(baseline.name, tune, judge, bool(baseline.space))
        for past in self._pasts.values():
            past.cache.clear()
        return self._model(baseline.name, "baseline", judged, settings)

    def random(self) -> Model:
        """Chance, several times."""
        with self._stages.stage("random", self._options.seeds) as advance:
            judged = []
            for seed in range(self._options.seeds):
                judged.append(models.judge_random(self._asked, self._test, self._pasts, seed))
                advance(1)
        return self._model("random", "baseline", judged, [])

    def ablation(self) -> list[Model]:
        """Each component that the asked profile weighs left out, and each there is alone."""
        found = []
        weighed = [
            name for name, weight in zip(COMPONENTS, self._asked.weights, strict=True) if weight
        ]
        with self._stages.stage("ablation", len(weighed) + len(COMPONENTS)) as advance:
            for prefix, components in (("without", weighed), ("only", COMPONENTS)):
                for component in components:
                    is_it = np.array(COMPONENTS) == component
                    weights = np.where(is_it, 0, self._asked.weights)
                    if prefix == "only":
                        weights = is_it.astype(np.float64)
                    judged = models.judge_weights(self._asked, self._test, weights)
                    found.append(self._model(f"{prefix}_{component}", "ablation", [judged], []))
                    advance(1)
        return found

    def _over_seeds(
        self,
        name: str,
        tune: Callable[[int], tuning.Tuned],
        judge: Callable[[object], Judged],
        is_tunable: bool = True,
    ) -> tuple[list[Judged], list]:
        seeds = self._options.seeds if is_tunable else 1
        judged, settings = [], []
        with self._stages.stage(name, seeds) as advance:
            for seed in range(seeds):
                best = tune(seed)
                settings.append(best.setting)
                judged.append(judge(best.setting))
                advance(1)
        return judged, settings

    def _worth(self, judged: Judged) -> float:
        return tuning.mean_ndcg(judged.values, self._asked.user[self._validation])

    def _model(self, name: str, kind: str, judged: list[Judged], settings: list) -> Model:
        values = np.mean([metrics.by_user(one.values, self._users) for one in judged], axis=0)
        coverage = float(np.mean([metrics.coverage(one.shown, self._listings) for one in judged]))
        return Model(name, kind, values, coverage, settings)


def _weights_text(weights: np.ndarray) -> dict[str, float]:
    return dict(zip(COMPONENTS, weights.tolist(), strict=True))


def _key(data: Data, cutoffs: list[Cutoff], prepared: str) -> str:
    windows = [(cutoff.at, cutoff.until, cutoff.askers.tolist()) for cutoff in cutoffs]
    text = repr((COMPONENTS, data.digest, windows, prepared))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
