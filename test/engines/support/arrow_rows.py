"""Arrow tables in the JSON form of engine-rows.ts."""

import base64
import datetime

import pyarrow
import pyarrow.compute

from engine_server import encode_float, encode_nested


def column_type(name, arrow_type):
    types = pyarrow.types
    if types.is_string(arrow_type) or types.is_large_string(arrow_type):
        return "string"
    if types.is_string_view(arrow_type):
        return "string"
    if types.is_boolean(arrow_type):
        return "boolean"
    if types.is_int64(arrow_type):
        return "long"
    if types.is_integer(arrow_type):
        return "int"
    if types.is_float32(arrow_type):
        return "float"
    if types.is_float64(arrow_type):
        return "double"
    if types.is_date(arrow_type):
        return "date"
    if types.is_timestamp(arrow_type):
        return "timestamp"
    if types.is_decimal(arrow_type):
        return "decimal(%d,%d)" % (arrow_type.precision, arrow_type.scale)
    if types.is_binary(arrow_type) or types.is_large_binary(arrow_type):
        return "binary"
    if types.is_fixed_size_binary(arrow_type):
        return "binary"
    if types.is_time32(arrow_type):
        return "int"
    if types.is_time64(arrow_type):
        return "long"
    if types.is_null(arrow_type):
        return "null"
    if types.is_nested(arrow_type):
        return "nested"
    raise TypeError("column %s has the type %s, expected a flat type" % (name, arrow_type))


def nested_value(arrow_type, value):
    """Structs as pairs, maps as dictionaries."""
    types = pyarrow.types
    if value is None:
        return None
    if types.is_struct(arrow_type):
        return tuple((field.name, nested_value(field.type, value[field.name])) for field in arrow_type)
    if types.is_map(arrow_type):
        return {key: nested_value(arrow_type.item_type, item) for key, item in value}
    if types.is_list(arrow_type) or types.is_large_list(arrow_type):
        return [nested_value(arrow_type.value_type, item) for item in value]
    if types.is_time(arrow_type):
        micros = ((value.hour * 60 + value.minute) * 60 + value.second) * 1000000 + value.microsecond
        return micros // 1000 if arrow_type.unit == "ms" else micros
    if types.is_timestamp(arrow_type):
        zero = datetime.datetime(1970, 1, 1, tzinfo=value.tzinfo and datetime.timezone.utc)
        return (value - zero) // datetime.timedelta(microseconds=1)
    return value


def column_values(kind, column):
    if kind == "timestamp":
        zone = column.type.tz
        column = column.cast(pyarrow.timestamp("us", tz=zone)).cast(pyarrow.int64())
        return [None if value is None else str(value) for value in column.to_pylist()]
    if kind == "date":
        column = column.cast(pyarrow.date32())
        return [None if value is None else value.isoformat() for value in column.to_pylist()]
    if pyarrow.types.is_time(column.type):
        column = column.cast(pyarrow.int32() if kind == "int" else pyarrow.int64())
    values = column.to_pylist()
    if kind == "nested":
        return [
            None if value is None else encode_nested(nested_value(column.type, value))
            for value in values
        ]
    if kind == "long":
        return [None if value is None else str(value) for value in values]
    if kind in ("float", "double"):
        return [None if value is None else encode_float(value) for value in values]
    if kind.startswith("decimal"):
        return [None if value is None else format(value, "f") for value in values]
    if kind == "binary":
        return [None if value is None else base64.b64encode(value).decode() for value in values]
    return values


def encode_table(table):
    columns = []
    values = []
    for field in table.schema:
        kind = column_type(field.name, field.type)
        columns.append({"name": field.name, "type": kind})
        values.append(column_values(kind, table.column(field.name)))
    return {"columns": columns, "rows": [list(row) for row in zip(*values)] if columns else []}
