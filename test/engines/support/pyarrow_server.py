"""Reads single Parquet files with pyarrow: rows in the JSON form of engine-rows.ts, and what the footer says."""

import base64
import datetime
import decimal

import pyarrow.parquet

from arrow_rows import encode_table
from engine_server import encode_float, serve


def read(path, columns, filters):
    """All rows, or those that pass filters of the form (column, operator, number or text)."""
    table = pyarrow.parquet.read_table(
        path,
        columns=columns,
        filters=[tuple(one) for one in filters] or None,
        partitioning=None,
    )
    return encode_table(table)


def encode_bound(value):
    """A bound as text; a moment is microseconds since the epoch."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(encode_float(value))
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        zero = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo)
        return str((value - zero) // datetime.timedelta(microseconds=1))
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


def describe_chunk(chunk):
    statistics = chunk.statistics
    has_bounds = statistics is not None and statistics.has_min_max
    return {
        "path": chunk.path_in_schema,
        "codec": chunk.compression,
        "valueCount": chunk.num_values,
        "nullCount": statistics.null_count if statistics is not None else None,
        "min": encode_bound(statistics.min) if has_bounds else None,
        "max": encode_bound(statistics.max) if has_bounds else None,
        "encodings": list(chunk.encodings),
        "hasColumnIndex": chunk.has_column_index,
        "hasOffsetIndex": chunk.has_offset_index,
    }


def describe(path):
    metadata = pyarrow.parquet.read_metadata(path)
    return {
        "rowCount": metadata.num_rows,
        "createdBy": metadata.created_by,
        "entries": {
            key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()
        },
        "rowGroups": [
            {
                "rowCount": metadata.row_group(group).num_rows,
                "chunks": [
                    describe_chunk(metadata.row_group(group).column(column))
                    for column in range(metadata.num_columns)
                ],
            }
            for group in range(metadata.num_row_groups)
        ],
    }


def describe_error(error):
    return [{"className": type(error).__name__, "message": str(error)}]


serve({"read": read, "describe": describe}, describe_error)
