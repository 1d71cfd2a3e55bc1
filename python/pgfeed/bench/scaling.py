"""Cost of the similarity of users against their number, and what leaving things out is worth.

On matrices of synthetic worlds in memory, without a database: the stage that grows fastest, by
itself. Each size is measured in a process of its own, beside the bare call of sparse_dot_topn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from pgfeed import synth
from pgfeed.bench.document import machine, number, replace_section
from pgfeed.bench.server import memory_mb
from pgfeed.bench.training import in_turns
from pgfeed.csv_layout import INTERACTION_TYPES
from pgfeed.evaluation.cutoffs import rolling
from pgfeed.evaluation.data import Data, read
from pgfeed.evaluation.metrics import ranks, values
from pgfeed.evaluation.past import STRENGTH, past_at
from pgfeed.progress import Stages
from pgfeed.similarity import Neighbors, interest_matrix, leave_out, nearest_users

USERS = (10_000, 20_000, 50_000, 100_000)
LISTINGS_A_USER, INTERACTIONS_A_USER = 10, 100
WINDOW_DAYS, HELD_OUT_DAYS = 180, 14
DAY = 86_400_000_000
NEIGHBORS, THREADS, PRODUCTS_PER_STEP = 50, 2, 10_000_000

# None: nothing is left out.
LISTING_LIMITS = (None, 500, 200, 100, 50, 20, 10)
PAIR_MINIMUMS = (2, 5, 10, 20)
ASKERS = 2000
# Of a real set, evenly over its last fifth.
CUTOFFS = 6

EFFECTS = (
    "seconds",
    "cpu_seconds",
    "products",
    "pairs_kept",
    "neighbors_kept",
    "users_with_neighbors",
    "ndcg",
)

LINES = {
    "ours_s": "similarity stage",
    "bare_s": "bare sparse_dot_topn",
}


def world_of(users: int) -> synth.World:
    """A world of so many users, in the proportions of `pgfeed synth`."""
    name = f"scaling-{users}"
    synth.SCALES[name] = synth.Scale(
        30 + users // 10_000, users, LISTINGS_A_USER * users, INTERACTIONS_A_USER * users, 96
    )
    return synth.make_world(name)


def matrix_of(world: synth.World) -> sparse.csr_matrix:
    """What a training at the world's end would multiply with itself."""
    return interest_matrix(*pairs_of(world), (len(world.users), len(world.listings)))


def pairs_of(world: synth.World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """users, listings and interest as a training at the world's end would read them."""
    events = world.events
    shape = (len(world.users), len(world.listings))
    pairs = events.user.astype(np.int64) * shape[1] + events.listing
    # In time order before: stable, so the last of each run is the newest.
    order = np.argsort(pairs, kind="stable")
    pairs = pairs[order]
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    strengths = np.array([STRENGTH[name] for name in INTERACTION_TYPES], np.float32)
    types = np.array([INTERACTION_TYPES.index(name) for name in synth.TYPES])[events.type[order]]
    interest = np.maximum.reduceat(strengths[types], starts)
    is_dismissed = np.maximum.reduceat(types == INTERACTION_TYPES.index("dismiss"), starts)
    last = np.maximum.reduceat(events.created_at[order], starts)
    interest[is_dismissed | (last <= world.until - WINDOW_DAYS * DAY)] = 0
    pair = pairs[starts]
    return (pair // shape[1]).astype(np.int32), (pair % shape[1]).astype(np.int32), interest


def scaling(repository: Path, sets: tuple[Path, ...], stages: Stages) -> None:
    """Measures every size, and the limits on the largest world and on real sets; writes it down."""
    points = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "matrix.npz"
        for users in USERS:
            with stages.stage(f"making a world of {users:,} users"):
                world = world_of(users)
                sparse.save_npz(file, matrix_of(world), compressed=False)
            with stages.stage(f"similarity of {users:,} users"):
                points.append(measured_apart(file))
    limits = {}
    with stages.stage("what leaving out is worth"):
        limits[f"synthetic, {USERS[-1]:,} users"] = effects([moment_of(world)], stages)
        for folder in sets:
            data = read(folder, stages)
            limits[f"{data.name}, {len(data.users):,} users"] = effects(moments_of(data), stages)
    folder = repository / "docs/benchmarks"
    figures = {"points": points, "limits": limits}
    (folder / "training.json").write_text(json.dumps(figures, indent=1) + "\n")
    draw(points, folder / "training.svg")
    document = repository / "docs/benchmarks.md"
    replace_section(document, "training", f"{machine()}\n\n{table(points)}")
    document = repository / "docs/analysts/vectors.md"
    replace_section(document, "limits", f"{machine()}\n\n{limits_tables(limits)}")


def measured_apart(file: Path) -> dict[str, float]:
    """`measured` in a process of its own, so that its peak memory is that of the stage."""
    program = (
        "import sys; from pgfeed.bench.scaling import print_measured; print_measured(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def print_measured(file: str) -> None:
    """One JSON object: seconds of both sides, and the peak memory of our side alone."""
    matrix = sparse.load_npz(file)
    before = peak_mb()
    nearest_users(matrix, NEIGHBORS, threads=THREADS, products_per_step=PRODUCTS_PER_STEP)
    peak = peak_mb()
    rounds = 3 if matrix.nnz < 3_000_000 else 1
    ours, bare = in_turns(matrix, NEIGHBORS, THREADS, PRODUCTS_PER_STEP, rounds, lambda: None)
    point = {
        "users": matrix.shape[0],
        "listings": matrix.shape[1],
        "pairs": int(matrix.nnz),
        "products": products(matrix),
        "ours_s": ours["seconds"],
        "ours_cpu_s": ours["cpu_seconds"],
        "bare_s": bare["seconds"],
        "bare_cpu_s": bare["cpu_seconds"],
        "loaded_mb": before,
        "peak_mb": peak,
    }
    print(json.dumps({name: float(f"{value:.5g}") for name, value in point.items()}))


def peak_mb() -> float:
    """VmHWM; what getrusage says is that of the process which made this one, if it was greater."""
    return memory_mb(os.getpid(), "VmHWM")


@dataclass(frozen=True)
class Moment:
    """What was known at a moment, and what some did next with what was new to them.

    matrix: (users, listings) with rows of unit length
    users: (n,) those who did something; positives: n arrays of listings
    is_candidate: (listings,) bool
    """

    matrix: sparse.csr_matrix
    users: np.ndarray
    positives: list[np.ndarray]
    is_candidate: np.ndarray


def moment_of(world: synth.World) -> Moment:
    """Two weeks before a world's end: what some applied to or saved in them."""
    past, held_out = synth.hold_out(world, HELD_OUT_DAYS)
    matrix = matrix_of(past)
    wanted = np.isin(held_out.type, [synth.TYPES.index("apply"), synth.TYPES.index("save")])
    pairs = np.unique(np.stack([held_out.user[wanted], held_out.listing[wanted]]), axis=1)
    is_new = np.asarray(matrix[pairs[0], pairs[1]]).ravel() == 0
    pairs = pairs[:, is_new]
    users = np.random.default_rng(1).permutation(np.unique(pairs[0]))[:ASKERS]
    positives = [pairs[1][pairs[0] == user] for user in users]
    return Moment(matrix, users, positives, past.listings.ends_at() > past.until)


def moments_of(data: Data) -> list[Moment]:
    """Some cut-offs of a real set, as `pgfeed evaluate` has them."""
    cutoffs = rolling(data)
    moments = []
    for place in np.unique(np.linspace(0, len(cutoffs) - 1, CUTOFFS).astype(int)):
        cutoff = cutoffs[place]
        past = past_at(data, cutoff)
        interest = past.strength * (past.age < WINDOW_DAYS)
        moments.append(
            Moment(
                interest_matrix(past.user, past.listing, interest, past.shape),
                cutoff.askers,
                [cutoff.listings[cutoff.users == user] for user in cutoff.askers],
                (data.created_at <= cutoff.at) & (past.expires_at > cutoff.at),
            )
        )
    return moments


def effects(moments: list[Moment], stages: Stages) -> list[dict[str, Any]]:
    """Cost, neighbors kept and quality of each limit, over all the moments."""
    settings = [("listing_user_limit", limit, 1) for limit in LISTING_LIMITS]
    settings += [("user_pair_minimum", None, minimum) for minimum in PAIR_MINIMUMS]
    exact: list[Neighbors] = []
    found = []
    for name, limit, minimum in settings:
        rows = []
        for place, moment in enumerate(moments):
            limited = leave_out(moment.matrix, limit, minimum)
            began, cpu = time.perf_counter(), time.process_time()
            neighbors = nearest_users(
                limited, NEIGHBORS, threads=THREADS, products_per_step=PRODUCTS_PER_STEP
            )
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            if len(exact) == place:
                exact.append(neighbors)
            rows.append(
                (
                    seconds,
                    cpu,
                    products(limited),
                    limited.nnz / moment.matrix.nnz,
                    kept_share(exact[place], neighbors),
                    float(np.mean(np.diff(neighbors.starts) > 0)),
                    ndcg(moment, neighbors),
                )
            )
        means = dict(zip(EFFECTS, np.mean(rows, axis=0).tolist(), strict=True))
        found.append(
            {"parameter": name, "value": minimum if name == "user_pair_minimum" else limit} | means
        )
        stages.note(json.dumps(found[-1]))
    return found


def products(matrix: sparse.csr_matrix) -> float:
    """Multiplications of the whole: Σ over the columns of the square of their pairs."""
    touched = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float64)
    return float((touched**2).sum())


def ndcg(moment: Moment, neighbors: Neighbors) -> float:
    """Mean NDCG@10 of the collaborative score alone, over the candidates new to the user."""
    chosen = (moment.matrix > 0).astype(np.float32)
    gains = []
    for user, wanted in zip(moment.users.tolist(), moment.positives, strict=True):
        rows, similarities = neighbors.of(user)
        scores = np.where(moment.is_candidate, similarities @ chosen[rows], 0)
        scores[chosen[user].indices] = 0
        order = np.flatnonzero(scores)
        # What has no score is behind all that has one.
        places = {listing: place for place, listing in enumerate(order.tolist())}
        known = np.array([places[at] for at in wanted.tolist() if at in places], dtype=np.int64)
        found = ranks(scores[order], known)
        missing = np.full(len(wanted) - len(known), len(scores))
        gains.append(values(np.concatenate([found, missing]), is_cold=False)[1])
    return float(np.mean(gains))


def kept_share(exact: Neighbors, limited: Neighbors) -> float:
    """The share of all exact neighbors that are still neighbors of the same user."""
    count = int(max(exact.rows.max(), limited.rows.max() if len(limited.rows) else 0)) + 1
    keys = [
        np.repeat(np.arange(len(n.starts) - 1, dtype=np.int64), np.diff(n.starts)) * count + n.rows
        for n in (exact, limited)
    ]
    return float(np.isin(*keys).mean())


def draw(points: list[dict[str, float]], file: Path) -> None:
    """Seconds and memory against users, all axes logarithmic."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams["svg.hashsalt"] = "pgfeed"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    users = [point["users"] for point in points]
    for name, text in LINES.items():
        left.plot(users, [point[name] for point in points], marker="o", label=text)
    growth = [points[0]["ours_s"] * count / users[0] for count in users]
    left.plot(users, growth, color="gray", linestyle=":", label="as the number of users")
    right.plot(users, [point["peak_mb"] for point in points], marker="o")
    left.set(xscale="log", yscale="log", xlabel="users", ylabel="seconds, two threads")
    right.set(xscale="log", yscale="log", xlabel="users", ylabel="MB, peak of the process")
    left.legend(frameon=False, fontsize="small")
    for axes in (left, right):
        axes.grid(which="major", alpha=0.3)
    figure.suptitle("Similarity of users: 50 neighbors, 100 interactions and 10 listings a user")
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def table(points: list[dict[str, float]]) -> str:
    """The plotted figures."""
    rows = [
        "| users | pairs | products | similarity stage | processor | bare call | ratio |"
        " peak memory |",
        "|---" * 8 + "|",
    ]
    rows += [
        f"| {p['users']:,.0f} | {p['pairs']:,.0f} | {p['products']:.2e} | {number(p['ours_s'])} s |"
        f" {number(p['ours_cpu_s'])} s | {number(p['bare_s'])} s |"
        f" {number(p['ours_s'] / p['bare_s'])} | {number(p['peak_mb'])} MB |"
        for p in points
    ]
    return "\n".join(rows) + "\n"


def limits_tables(limits: dict[str, list[dict[str, Any]]]) -> str:
    """Each limit beside no limit, a table a set."""
    parts = []
    for name, found in limits.items():
        rows = [
            f"{name[0].upper()}{name[1:]}:",
            "",
            "| parameter | value | processor | products | pairs kept | exact neighbors kept |"
            " users with neighbors | NDCG@10 |",
            "|---" * 8 + "|",
        ]
        rows += [
            f"| `{f['parameter']}` | {'null' if f['value'] is None else format(f['value'], ',')} |"
            f" {number(f['cpu_seconds'])} s | {f['products']:.2e} |"
            f" {f['pairs_kept']:.1%} | {f['neighbors_kept']:.1%} |"
            f" {f['users_with_neighbors']:.1%} | {f['ndcg']:.4f} |"
            for f in found
        ]
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)
