"""Reads Hudi tables with hudi-rs and answers rows in the JSON form of engine-rows.ts."""

import os

import pyarrow
from hudi import HudiQueryType, HudiReadOptions, HudiTable

from arrow_rows import encode_table
from engine_server import serve


def is_meta_column(name):
    """The mark of deleted rows is a column of the table like any other."""
    return name.startswith("_hoodie_") and name != "_hoodie_is_deleted"


def encode_batches(batches, schema, meta_columns):
    table = pyarrow.Table.from_batches(batches) if batches else schema.empty_table()
    names = [name for name in table.schema.names if meta_columns or not is_meta_column(name)]
    return encode_table(table.select(names))


def open_table(path, options):
    return HudiTable(path, options or None)


def read(path, options, as_of, columns, filters, begin, end, meta_columns):
    """One read: a snapshot, the table at an instant, or the changes in (begin, end]."""
    table = open_table(path, options)
    read_options = HudiReadOptions(filters=[tuple(one) for one in filters], projection=columns)
    if begin is not None:
        read_options = read_options.with_query_type(HudiQueryType.Incremental)
        read_options = read_options.with_start_timestamp(begin)
        if end is not None:
            read_options = read_options.with_end_timestamp(end)
    elif as_of is not None:
        read_options = read_options.with_as_of_timestamp(as_of)
    batches = table.read(read_options)
    return encode_batches(batches, table.get_schema_with_meta_fields(), meta_columns)


def describe(path, options):
    """The data files that a snapshot reads, as paths below the table, and the time zone."""
    table = open_table(path, options)
    slices = table.get_file_slices(None)
    return {
        "pid": os.getpid(),
        "timezone": table.timezone,
        "files": sorted(one.base_file_relative_path() for one in slices),
    }


def describe_error(error):
    return [{"className": type(error).__name__, "message": str(error)}]


serve({"read": read, "describe": describe}, describe_error)
