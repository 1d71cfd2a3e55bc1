"""The folder through which the driver and the executors hand each other Parquet.

By Hadoop's file systems, which Spark has with it: a path, hdfs:// or s3a:// are the same here.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.conninfo import conninfo_to_dict

from pgfeed.spark.session import scratch_folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Exchange:
    """A folder of one training's own. Nothing of a former one is in it, and nothing stays."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        self._java = spark.sparkContext._jvm
        self.folder = folder
        path = self._path("")
        self._files = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())

    def __enter__(self) -> Exchange:
        # A training that was killed has left its own.
        self.remove()
        # Who chose what is nobody else's business.
        private = self._java.org.apache.hadoop.fs.permission.FsPermission("700")
        if not self._files.mkdirs(self._path(""), private):
            raise OSError(f"cannot make {self.folder}")
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Everything, if it is there."""
        self._files.delete(self._path(""), True)

    def uri(self, name: str) -> str:
        """Where a file or folder of this name is, for Spark's reader and writer."""
        return f"{self.folder}/{name}"

    def put(self, name: str, table: pa.Table) -> None:
        """A Parquet file."""
        with scratch_folder() as folder:
            file = folder / "part.parquet"
            pq.write_table(table, file)
            self._files.copyFromLocalFile(
                True, True, self._java.org.apache.hadoop.fs.Path(file.as_uri()), self._path(name)
            )

    def _path(self, name: str) -> object:
        return self._java.org.apache.hadoop.fs.Path(self.uri(name) if name else self.folder)


def folder_for(base: str | None, dsn: str) -> str:
    """Where a database's trainings exchange files: always there, so that one finds what is left.

    base: None for this machine's temporary folder
    """
    parts = conninfo_to_dict(dsn)
    database = [parts.get(name) for name in ("host", "hostaddr", "port", "dbname", "service")]
    name = f"pgfeed-train-{os.getuid()}-{sha256(repr(database).encode()).hexdigest()[:12]}"
    if base is None:
        base = tempfile.gettempdir()
    if "://" not in base:
        base = os.path.abspath(base)
    return f"{base.rstrip('/')}/{name}"
