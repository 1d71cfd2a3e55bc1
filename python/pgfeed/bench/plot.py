"""Latency against the number of listings: worlds of 10K to 1M, one line a way of asking."""

from __future__ import annotations

import json
from pathlib import Path

from pgfeed.bench import plain
from pgfeed.bench.document import machine, number, replace_section
from pgfeed.bench.feeds import REFERENCE, WANTED, Bench, FeedSession, timed
from pgfeed.bench.figures import median, percentile
from pgfeed.bench.run import prepare, start
from pgfeed.bench.server import Server
from pgfeed.progress import Stages

WORLDS = ("plot-10k", "plot-30k", "small", "plot-300k", "medium")
# Few where one answer takes seconds.
REFERENCES = 3
PLAINS = 12
USERS = 40

LINES = {
    "reference": "score_listings + order + limit, p50",
    "plain": "plain SQL, p50",
    "mix_p99": "get_feed, p99",
    "mix": "get_feed, p50",
    "dense": "get_feed, dense places, p50",
}


def plot(repository: Path, homes: Path, largest: Path | None, stages: Stages) -> None:
    """Measures every world, loading those that are not there, and draws the plot.

    largest: an instance that has a medium world, left as it is; None for the bench's own
    """
    points = []
    for world in WORLDS:
        is_own = world != "medium" or largest is None
        server = Server(repository, homes / f"bench-{world}" if is_own else largest)
        start(server, world, is_own, rebuild=False, stages=stages)
        with server.without_schedule():
            points.append(measure(prepare(server, world, stages)))
        if is_own:
            server.bin("down")
    folder = repository / "docs/benchmarks"
    folder.mkdir(exist_ok=True)
    (folder / "latency.json").write_text(json.dumps(points, indent=1) + "\n")
    draw(points, folder / "latency.svg")
    replace_section(repository / "docs/benchmarks.md", "latency", table(points))


def measure(bench: Bench) -> dict[str, float]:
    """Milliseconds of each line in one world."""
    users = bench.askers["mix"][:USERS]
    samples: dict[str, list[float]] = {name: [] for name in LINES}
    with bench.server.connect() as connection:
        plain.set_up(connection)
    with (
        bench.server.connect() as superuser,
        bench.server.connect() as connection,
        FeedSession(bench.server) as session,
        bench.stages.stage(f"{len(bench.catalogue):,} open listings", len(users)) as advance,
    ):
        baseline = plain.PlainFeed(connection)
        for position, user_uid in enumerate(users):
            session.feed(user_uid)
            for _ in range(3):
                samples["mix"].append(session.feed(user_uid)[0])
            if position < PLAINS:
                baseline.best(user_uid, WANTED)
                samples["plain"].append(timed(lambda user=user_uid: baseline.best(user, WANTED))[0])
            if position < REFERENCES:
                samples["reference"].append(
                    timed(lambda user=user_uid: superuser.execute(REFERENCE, (user, WANTED)))[0]
                )
            advance(1)
        for user_uid in bench.askers["dense"]:
            session.feed(user_uid)
            samples["dense"] += [session.feed(user_uid)[0] for _ in range(3)]
        count = superuser.execute("select count(*) from feed.listings").fetchone()[0]
    figures = {name: median(values) for name, values in samples.items() if values}
    return {"listings": count} | figures | {"mix_p99": percentile(samples["mix"], 0.99)}


def draw(points: list[dict[str, float]], file: Path) -> None:
    """One line a way of asking, both axes logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "pgfeed"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    listings = [point["listings"] for point in points]
    for name, text in LINES.items():
        axes.plot(listings, [point[name] for point in points], marker="o", label=text)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="listings",
        ylabel="milliseconds",
        title="Feed of 50 listings, population mix, one warm session",
    )
    axes.grid(which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def table(points: list[dict[str, float]]) -> str:
    """The plotted figures."""
    rows = [
        "| listings | " + " | ".join(LINES.values()) + " |",
        "|---" * (len(LINES) + 1) + "|",
        *(
            f"| {point['listings']:,} | "
            + " | ".join(f"{number(point[name])} ms" for name in LINES)
            + " |"
            for point in points
        ),
    ]
    return f"{machine()}\n\n" + "\n".join(rows) + "\n"
