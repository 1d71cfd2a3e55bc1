"""Every block of the documents runs, page by page, on the world that README's first block makes."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents import PAGES, Drift, Reader, asker, environment_of_a_reader, name, page_blocks
from harness import GATEWAY_SETTINGS, POSTGRESQL_SETTINGS, REPOSITORY, Instance

README = REPOSITORY / "README.md"


def runs(page: Path) -> bool:
    return any(block.fate == "run" for block in page_blocks(page))


def on_scratch(page: Path) -> bool:
    """A DBA's queries change things: they run in a database that is thrown away."""
    return page.parent.name == "dba"


ON_DEMO = [page for page in PAGES if runs(page) and not on_scratch(page) and page != README]
ON_SCRATCH = [page for page in PAGES if runs(page) and on_scratch(page)]


def wait_for_the_log(instance: Instance) -> None:
    """Until README's requests are among what analysts see; the limit is for a broken follower."""
    deadline = time.monotonic() + 120
    with instance.connect() as connection:
        is_read = "select 1 from analytics.feed_latency where route = 'feed'"
        while not connection.execute(is_read).fetchone():
            log = instance.home / "log/log-reader.log"
            assert time.monotonic() < deadline, f"nobody reads the access log: {log.read_text()}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def demo(test_home: Path, tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Iterator:
    """An instance made by doing what README says."""
    instance = Instance(test_home / "demo")
    instance.home.mkdir(parents=True)
    (instance.home / "postgresql.local.conf").write_text(POSTGRESQL_SETTINGS)
    environment = environment_of_a_reader(instance.home) | GATEWAY_SETTINGS
    reader = Reader(environment, tmp_path_factory.mktemp("readme"), tools, lambda block: None)
    try:
        reader.read(README)
        instance.read_env()
        wait_for_the_log(instance)
        yield instance
    finally:
        instance.remove()


def test_readme_makes_a_world(demo: Instance) -> None:
    with demo.connect() as connection:
        (count,) = connection.execute("select count(*) from feed.listings").fetchone()
    assert count == 2000
    with demo.client() as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("page", ON_DEMO, ids=name)
def test_the_page_is_right(demo: Instance, tmp_path: Path, tools: Path, page: Path) -> None:
    ask = asker(lambda role: demo.connect(user=role), "feed_analyst", wants_rows=True)
    reader = Reader(environment_of_a_reader(demo.home), tmp_path, tools, ask)
    reader.read(page)
    assert reader.done


@pytest.mark.parametrize("page", ON_SCRATCH, ids=name)
def test_the_page_is_right_on_scratch(
    instance: Instance, scratch_name: str, tmp_path: Path, tools: Path, page: Path
) -> None:
    ask = asker(lambda role: instance.connect(scratch_name, role), "postgres", wants_rows=False)
    environment = environment_of_a_reader(instance.home) | {"PGFEED_DATABASE": scratch_name}
    reader = Reader(environment, tmp_path, tools, ask)
    reader.read(page)
    assert reader.done


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("```sh\ncurl http://127.0.0.1:9/\n```", "exit 7"),
        ("```sh fails\ntrue\n```", "exit 0"),
        ("```sql\nselect 1 where false\n```", "no rows"),
        ("```sql\nselect one\n```", 'column "one" does not exist'),
        ("```js\nthrow new Error('not so');\n```", "not so"),
        ("```python\nraise SystemExit('not so')\n```", "not so"),
        ('```sh\necho \'{"a": 1}\'\n```\n\n```json answer\n{"a": 2}\n```', "answer.a is 1"),
        ('```sh\necho \'{"a": 1}\'\n```\n\n```json like\n{"a": "x"}\n```', "answer.a is 1"),
        ('```sh\necho \'{"a": 1}\'\n```\n\n```json like\n{"b": 1}\n```', "answer has ['a']"),
    ],
)
def test_a_page_that_is_wrong_is_found(
    instance: Instance, tools: Path, tmp_path: Path, code: str, problem: str
) -> None:
    ask = asker(lambda role: instance.connect(user=role), "feed_analyst", wants_rows=True)
    reader = Reader(environment_of_a_reader(instance.home), tmp_path, tools, ask)
    page = tmp_path / "wrong.md"
    page.write_text(f"# Wrong\n\n{code}\n")
    with pytest.raises(Drift, match=re.escape(problem)):
        reader.read(page)
