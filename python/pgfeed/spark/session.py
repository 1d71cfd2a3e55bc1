"""Starts Spark, and says in one line what it lacks."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pgfeed

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONNECT_SECONDS = 10
STANDALONE_PORT = 7077

LOGGING = Path(__file__).with_name("log4j2.properties")
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={LOGGING.as_uri()}",
    # A few large packages a task: Spark would take them for little, and make one task of all.
    "spark.sql.adaptive.enabled": "false",
    # Pairs travel by the million; packages are cut by their bytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "1000000",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 << 20),
}
# Nobody else's business on one machine.
LOCAL_SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}


class SparkFailed(Exception):
    """In one line what is wrong with Spark, and what to do."""


def is_local(master: str) -> bool:
    """Are the executors threads of the driver?"""
    return master.split("[")[0] == "local"


@contextmanager
def session(master: str, settings: Mapping[str, str] = {}) -> Iterator[SparkSession]:
    """A session that ends with the block. Executors have pgfeed; what it imports is theirs.

    settings: of Spark, before ours
    """
    check(master)
    with scratch_folder() as folder, explained(master):
        spark = _start(master, settings)
        try:
            spark.sparkContext.addPyFile(str(package(folder)))
            yield spark
        finally:
            # It may be what has failed.
            with suppress(Exception):
                spark.stop()


def check(master: str) -> None:
    """Raises SparkFailed where starting it would take long or say little."""
    for name in ("pyspark", "pyarrow", "pandas"):
        if importlib.util.find_spec(name) is None:
            raise SparkFailed(f"the Spark engine needs {name}: run bin/install --spark")
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    if java is None:
        where = f"there is none in JAVA_HOME={home}" if home else "there is none on PATH"
        raise SparkFailed(f"Spark needs Java 17 and {where}: run bin/install --spark")
    if master.startswith("spark://"):
        _check_standalone(master)


def _check_standalone(master: str) -> None:
    """Spark itself would try for a minute."""
    failures = []
    for place in master.removeprefix("spark://").split(","):
        host, _, port = place.partition(":")
        try:
            number = int(port or STANDALONE_PORT)
            socket.create_connection((host, number), CONNECT_SECONDS).close()
            return
        except (OSError, ValueError, OverflowError) as error:
            failures.append(f"{place}: {error}")
    raise SparkFailed(
        f"no Spark master answers at {master} ({'; '.join(failures)}):"
        " start it, or say another --master"
    )


def _start(master: str, settings: Mapping[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("pgfeed train").master(master)
    own = SETTINGS
    if is_local(master):
        own = own | LOCAL_SETTINGS
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        # This very environment; elsewhere it is python3, or what --conf says.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    for name, value in (own | dict(settings)).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def package(folder: Path) -> Path:
    """A zip of pgfeed's Python files, which executors import from."""
    source = Path(pgfeed.__file__).parent
    target = folder / "pgfeed.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(source.rglob("*.py")):
            archive.write(file, Path("pgfeed") / file.relative_to(source))
    return target


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of this process alone; those of processes that were killed go."""
    prefix = "pgfeed-spark-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        owner = left.name.removeprefix(prefix).split("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-") as folder:
        yield Path(folder)


@contextmanager
def explained(master: str) -> Iterator[None]:
    """What Spark raises, as SparkFailed."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        raise SparkFailed(explanation(error, master)) from error


def explanation(error: Exception, master: str) -> str:
    """One line out of an error whose own text is a page."""
    text = str(error)
    if "JAVA_GATEWAY_EXITED" in text:
        return "Java did not start Spark, which needs Java 17: see what it printed, and JAVA_HOME"
    missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", text)
    if missing:
        return (
            f"the executors' Python has no {missing[1]}: give them the packages of"
            " python/requirements.txt and requirements-spark.txt (docs/dba/spark.md)"
        )
    if "PYTHON_VERSION_MISMATCH" in text:
        return "the executors' Python is of another version than the driver's: set PYSPARK_PYTHON"
    # The innermost cause says most; what is before it are the layers that passed it on.
    causes = re.findall(r"^(?:Caused by: |: )?([\w.$]+(?:Exception|Error)\b:? ?.*)$", text, re.M)
    line = (causes or text.strip().splitlines() or [type(error).__name__])[-1].strip()
    if "FileNotFoundException" in text:
        return (
            "the executors do not see what this machine has written: --exchange must be one"
            f" folder for both ({line[:500]})"
        )
    return f"Spark failed on {master}: {line[:500]}"
