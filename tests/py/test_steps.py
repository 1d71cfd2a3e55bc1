"""What each step carries: the arithmetic of docs/dba/scaling.md, and that the page is current."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness import REPOSITORY
from pgfeed.bench import steps
from pgfeed.bench.document import replace_section
from pgfeed.bench.figures import Figure
from pgfeed.bench.steps import (
    LOAD,
    MACHINES,
    Costs,
    Load,
    Machine,
    Step,
    bytes_each,
    ends_first,
    ladder,
    most_users,
    needs,
)


def figure(name: str, scale: str, value: float, ratio: float | None = None) -> Figure:
    return Figure(name, scale, value, "", None, ratio)


def costs(**changed: float) -> Costs:
    """Round numbers: a feed costs 10 ms and 10 ms more a million listings."""
    small = {
        "feed_throughput_8": 2000 / 9,
        "feed_no_limit_p99_ms": 11,
        "backend_memory_mb": 50,
        "train_peak_memory_mb": 200,
    }
    medium = {
        "feed_throughput_8": 2000 / 18,
        "feed_no_limit_p99_ms": 20,
        "backend_memory_mb": 140,
        "train_peak_memory_mb": 1100,
        "train_models_s": 80,
        "train_listing_vectors_s": 20,
        "train_listing_neighbors_s": 20,
        "ingest_api": 2000,
    } | changed
    figures = {
        scale: {name: figure(name, scale, value) for name, value in values.items()}
        | {"gateway_overhead_ms_p50": figure("gateway_overhead_ms_p50", scale, 12, 2)}
        for scale, values in (("small", small), ("medium", medium))
    }
    return Costs(figures, {"user": 5000, "listing": 2000, "interaction": 500})


def test_costs_are_lines_through_both_worlds() -> None:
    found = costs()
    for listings in (100_000, 1_000_000, 10_000_000):
        assert found.feed_core_s(listings) == pytest.approx(0.010 + listings * 1e-8)
        assert found.slowest_ms(listings) == pytest.approx(10 + listings * 1e-5)
    assert found.session_gb(1_000_000) == pytest.approx(0.14)
    assert found.block_gb(1_000_000) == pytest.approx(0.1)
    assert found.training_s(1_000_000, 10_000_000) == pytest.approx(80)
    assert found.training_s(2_000_000, 10_000_000) == pytest.approx(120)
    assert found.training_gb(10_000_000) == pytest.approx(1.1)
    assert found.disk_gb(1_000_000, LOAD) == pytest.approx(57)


def test_requests_follow_from_the_assumptions() -> None:
    load = Load(daily_share=0.1, sessions=2, feeds_a_session=3, interactions_a_session=6, peak=4)
    assert load.feeds_per_s(864_000) == pytest.approx(24)
    assert load.writes_per_s(864_000) == pytest.approx(48)


def test_the_resource_that_ends_first_is_used_up_and_no_other() -> None:
    for machine in MACHINES:
        step = Step("", machine)
        users = most_users(step, costs())
        taken = needs(step, costs(), users)
        first = ends_first(step, costs())
        assert taken[first] == pytest.approx(1, rel=1e-3)
        assert all(share <= 1 for share in taken.values())
        assert users == pytest.approx(min(most_users(step, costs(), name) for name in taken))


def test_each_step_relieves_what_it_is_for() -> None:
    machine = Machine(8, 64, 1000)
    step, known = Step("", machine), costs()

    def gain(resource: str, **changed: object) -> float:
        return most_users(replace(step, **changed), known, resource) / most_users(
            step, known, resource
        )

    assert gain("feeds", hit_ratio=0.5) > 1.3
    assert gain("feeds", replicas=2) > 1.5
    assert gain("memory", trains_elsewhere=True) > 1.1
    # Blocks are smaller, too: all of it but the sessions' start grows with the regions.
    for resource in ("feeds", "latency", "training", "disk", "writes"):
        assert gain(resource, regions=4) == pytest.approx(4, rel=1e-3)
    assert gain("writes", replicas=2) == 1
    assert gain("latency", hit_ratio=0.5) == 1
    assert "training" not in needs(replace(step, trains_elsewhere=True), known, 1000)


def test_a_cache_that_was_not_measured_is_left_out() -> None:
    assert not any(step.hit_ratio for step in ladder({}))
    found = ladder({"cache_hit_ratio": figure("cache_hit_ratio", "small", 0.4)})
    assert {step.hit_ratio for step in found} == {0, 0.4}
    assert len(found) > len(ladder({}))


def test_bytes_are_those_of_the_largest_world() -> None:
    text = "| user | 10 | 1 MB | 7 |\n| user | 1,000 | 2 MB | 1,005 |\n| listing | 5 | 1 MB | 3 |\n"
    assert bytes_each(text) == {"user": 1005, "listing": 3}
    assert set(bytes_each((REPOSITORY / "docs/dba/capacity.md").read_text())) == {
        "user",
        "listing",
        "interaction",
    }


def test_the_page_and_the_plot_are_made_with_and_without_lines(tmp_path: Path) -> None:
    for name in ("docs/dba/capacity.md", "docs/benchmarks/small.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    medium = "docs/benchmarks/medium.jsonl"
    (tmp_path / medium).write_text((REPOSITORY / medium).read_text())
    page = tmp_path / steps.PAGE
    page.write_text((REPOSITORY / steps.PAGE).read_text())
    steps.write(tmp_path)
    without = page.read_text()
    assert "`cache_hit_ratio`" not in without and ", cache" not in without
    lines = (
        Figure("spark_train_s", "small", 12, "s", 3, 4),
        Figure("cache_hit_ratio", "small", 0.5, "share"),
        Figure("new_line", "small", 1, "s"),
    )
    (tmp_path / "docs/benchmarks/scaling.jsonl").write_text(
        "".join(line.line() + "\n" for line in lines)
    )
    steps.write(tmp_path)
    text = page.read_text()
    assert re.findall(r"^\| `(\w+)` \| (?!.*says)", text, re.MULTILINE)[-3:] == [
        "cache_hit_ratio",
        "spark_train_s",
        "new_line",
    ]
    assert "| … 2 replicas |" in text and "24 GB, cache |" in text
    assert "cache" in (tmp_path / "docs/benchmarks/scaling.svg").read_text()
    steps.write(tmp_path)
    assert page.read_text() == text


def test_the_page_is_current(tmp_path: Path) -> None:
    page = REPOSITORY / steps.PAGE
    copy = tmp_path / "scaling.md"
    copy.write_text(page.read_text())
    for name, text in steps.sections(REPOSITORY).items():
        replace_section(copy, name, text)
    assert copy.read_text() == page.read_text(), "not current: make steps"


def test_lines_have_the_benchs_format() -> None:
    file = REPOSITORY / "docs/benchmarks/scaling.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    keys = ["name", "scale", "value", "unit", "baseline", "ratio"]
    assert all(list(json.loads(line)) == keys for line in lines)
