"""Spark with Hudi: writes of frames that are held in memory, and reads that end in nothing."""

import os
import sys
import time

sys.path.insert(0, os.environ["HUDI_LAKE_ENGINE_SUPPORT"])

import spark_server  # noqa: E402
from engine_server import serve  # noqa: E402

frame = None


def load(paths, partitions):
    """Holds the input in Spark's memory, in as many partitions as there are cores."""
    global frame
    if frame is not None:
        frame.unpersist(True)
    frame = spark_server.spark.read.parquet(*paths).repartition(partitions).cache()
    return {"rowCount": frame.count()}


def collect_garbage():
    spark_server.spark._jvm.System.gc()
    return None


def write(path, options, mode):
    start = time.perf_counter()
    frame.write.format("hudi").options(**options).mode(mode).save(path)
    return {"seconds": time.perf_counter() - start}


def open_table(path, columns, after):
    reader = spark_server.spark.read.format("hudi").option("hoodie.metadata.enable", "false")
    if after is not None:
        reader = reader.option("hoodie.datasource.query.type", "incremental")
        reader = reader.option("hoodie.datasource.read.begin.instanttime", after)
    table = reader.load(path)
    return table if columns is None else table.select(*columns)


def read(path, columns, after):
    """Every row is produced and dropped by Spark's `noop` sink."""
    start = time.perf_counter()
    open_table(path, columns, after).write.format("noop").mode("overwrite").save()
    return {"seconds": time.perf_counter() - start}


def dump(path, columns, after, into):
    table = open_table(path, columns, after)
    table.write.mode("overwrite").parquet(into)
    return None


serve(
    {
        "start": spark_server.start,
        "load": load,
        "collectGarbage": collect_garbage,
        "write": write,
        "read": read,
        "dump": dump,
    },
    spark_server.describe_error,
)
if spark_server.spark is not None:
    spark_server.spark.stop()
