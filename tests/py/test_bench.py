"""The benchmark itself, on a tiny world: what it prints, and that its baselines are the feed's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import REPOSITORY, Instance, clean_environment, run
from pgfeed.bench.document import replace_section, section
from pgfeed.bench.feeds import BaselineDiffers, check
from pgfeed.bench.figures import Figure, median, percentile
from pgfeed.bench.plain import cells

KEYS = ["name", "scale", "value", "unit", "baseline", "ratio"]
COMPARED = {
    "feed_vs_reference_p50",
    "feed_vs_reference_p99",
    "feed_vs_sql_p50",
    "feed_vs_sql_dense",
    "feed_vs_kernel_warm",
    "feed_vs_kernel_cold",
    "gateway_overhead_ms_p50",
    "fold_1pct_s",
    "ingest_spread",
    "ingest_hot",
    "similarity_vs_bare",
    "similarity_cpu_vs_bare",
}
ALONE = {
    "train_models_s",
    "train_peak_memory_mb",
    "train_longest_pause_s",
    "update_models_s",
    "feed_no_limit_p99_ms",
    "query_p99_ms",
    "backend_memory_mb",
    "feed_throughput_1",
    "feed_throughput_8",
    "gateway_feeds_per_s_1",
    "gateway_feeds_p99_ms_16",
    "feed_mix_p50_ms",
    "feed_brand_new_p99_ms",
    "feed_during_fold_p99_ms",
    "ingest_api",
}


@pytest.fixture(scope="module")
def home(test_home: Path, deployed: Path) -> Iterator[Path]:
    instance = Instance(test_home / "bench-tiny").begin_with(deployed)
    yield test_home
    instance.remove()


@pytest.fixture(scope="module")
def figures(home: Path) -> list[Figure]:
    """What a whole run prints. It stops if a baseline's scores are not the feed's."""
    environment = clean_environment(PGFEED_HOME=str(home))
    done = run(REPOSITORY / "bin/pgfeed", "bench", "--scale", "tiny", env=environment)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(line) == KEYS for line in lines)
    return [Figure(**line) for line in lines]


@pytest.mark.slow
def test_every_figure_is_printed_once(figures: list[Figure]) -> None:
    names = [figure.name for figure in figures]
    assert len(names) == len(set(names))
    assert set(names) >= COMPARED | ALONE
    assert all(figure.value > 0 and figure.scale == "tiny" for figure in figures)


@pytest.mark.slow
def test_ratios_are_those_of_the_two_figures(figures: list[Figure]) -> None:
    by_name = {figure.name: figure for figure in figures}
    assert all(by_name[name].baseline > 0 for name in COMPARED)
    faster = by_name["feed_vs_reference_p50"]
    assert faster.ratio == pytest.approx(faster.baseline / faster.value, rel=0.01)
    dearer = by_name["feed_vs_kernel_warm"]
    assert dearer.ratio == pytest.approx(dearer.value / dearer.baseline, rel=0.01)


@pytest.mark.slow
def test_a_second_run_finds_the_world_and_the_users(figures: list[Figure], home: Path) -> None:
    instance = Instance(home / "bench-tiny")
    instance.read_env()
    with instance.connect() as connection:

        def world() -> tuple[object, ...]:
            return connection.execute(
                "select (select count(*) from feed.listings), (select count(*) from ml.models),"
                " (select array_agg(a order by a.kind, a.ordinal)::text"
                " from bench_users.askers as a)"
            ).fetchone()

        before = world()
        environment = clean_environment(PGFEED_HOME=str(home))
        command = (REPOSITORY / "bin/pgfeed", "bench", "--scale", "tiny", "--only", "kernel")
        done = run(*command, env=environment)
        assert "feed_vs_kernel_warm" in done.stdout
        assert "feed_vs_sql" not in done.stdout
        assert world() == before
        jobs = "select bool_and(active) from cron.job"
        assert connection.execute(jobs).fetchone() == (True,)


def test_percentiles_are_nearest_rank() -> None:
    values = list(range(100, 0, -1))
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)) == (50, 99, 7)
    assert (median([3, 1, 2]), median([4, 1, 2, 3])) == (2, 2.5)


def test_a_baseline_with_other_scores_is_refused() -> None:
    check("same", [0.5, 0.25], [0.25, 0.50001])
    with pytest.raises(BaselineDiffers):
        check("other", [0.5, 0.25], [0.5, 0.26])
    with pytest.raises(BaselineDiffers):
        check("fewer", [0.5, 0.25], [0.5])


def test_cells_cover_the_circle_and_the_remote() -> None:
    near = cells(47.37, 8.54, 10)
    assert -1 in near
    # 10 km to the north and to the east of the middle.
    assert int((47.37 + 0.0899 + 90) * 10) * 3600 + int((8.54 + 180) * 10) in near
    assert int((47.37 + 90) * 10) * 3600 + int((8.54 + 0.1327 + 180) * 10) in near
    # Across the date line.
    assert int((0.05 + 90) * 10) * 3600 + 3599 in cells(0.05, 179.99, 5)
    assert int((0.05 + 90) * 10) * 3600 in cells(0.05, 179.99, 5)
    assert cells(89.5, 0, 100) is None


def test_the_tables_say_whether_a_goal_is_met(tmp_path: Path) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text("a\n<!-- small: written by the bench -->\nold\n<!-- small: end -->\nb\n")
    figures = [
        Figure("feed_vs_sql_dense", "small", 10, "ms", 40, 4),
        Figure("query_p99_ms", "small", 51, "ms"),
    ]
    replace_section(document, "small", section(figures))
    text = document.read_text()
    assert "old" not in text
    assert text.startswith("a\n") and text.endswith("-->\nb\n")
    assert "| 10 ms | 40 | 4 | ≥ 3 ✓ |" in text
    assert "< 50 ✗ |" in text
    with pytest.raises(ValueError, match="no section"):
        replace_section(document, "medium", "")
