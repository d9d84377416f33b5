"""hudi-rs in a process of its own: timed reads to Arrow, and the same reads dumped as Parquet."""

import gc
import os
import resource
import sys
import time

import pyarrow
import pyarrow.parquet

sys.path.insert(0, os.environ["HUDI_LAKE_ENGINE_SUPPORT"])

from engine_server import serve  # noqa: E402
from hudi import HudiQueryType, HudiReadOptions, HudiTable  # noqa: E402


def read_options(columns, after):
    options = HudiReadOptions(projection=columns)
    if after is not None:
        options = options.with_query_type(HudiQueryType.Incremental)
        options = options.with_start_timestamp(after)
    return options


def memory_bytes(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def read(path, columns, after, streams):
    """Reads all batches, or lets each go when the next one comes."""
    gc.collect()
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    baseline = memory_bytes("VmRSS")
    cpu = cpu_seconds()
    start = time.perf_counter()
    table = HudiTable(path)
    options = read_options(columns, after)
    if streams:
        rows = sum(batch.num_rows for batch in table.read_stream(options))
    else:
        batches = table.read(options)
        rows = sum(batch.num_rows for batch in batches)
    wall = time.perf_counter() - start
    cpu = cpu_seconds() - cpu
    peak = memory_bytes("VmHWM")
    return {
        "rowCount": rows,
        "sample": {
            "wallMs": wall * 1000,
            "cpuMs": cpu * 1000,
            "peakBytes": peak,
            "baselineBytes": baseline,
        },
    }


def dump(path, columns, after, into, streams):
    options = read_options(columns, after)
    table = HudiTable(path)
    batches = list(table.read_stream(options)) if streams else table.read(options)
    pyarrow.parquet.write_table(pyarrow.Table.from_batches(batches), into)
    return None


def describe_error(error):
    return [{"className": type(error).__name__, "message": str(error)}]


serve({"read": read, "dump": dump}, describe_error)
