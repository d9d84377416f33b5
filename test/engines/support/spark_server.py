"""Runs one Apache Spark with a Hudi bundle and answers rows in the JSON form of engine-rows.ts."""

import base64
import os
import re
import sys
import threading
import time

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    NullType,
    ShortType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
    _parse_datatype_string,
)

from engine_server import encode_float, encode_nested, serve

HANG_PROPERTY = "hudi.lake.hanging"

spark = None


def start(jar, master, time_zone, heap, conf):
    """Starts the JVM; nothing listens beyond the loopback interface."""
    global spark
    scratch = os.path.join(os.getcwd(), "tmp")
    os.makedirs(scratch)
    jvm_options = ["-Djava.io.tmpdir=" + scratch]
    if time_zone:
        jvm_options.append("-Duser.timezone=" + time_zone)
    builder = (
        SparkSession.builder.master(master)
        .appName("hudi-lake")
        .config("spark.driver.extraClassPath", jar)
        .config("spark.driver.memory", heap)
        .config("spark.driver.extraJavaOptions", " ".join(jvm_options))
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.local.dir", os.path.join(os.getcwd(), "local"))
        .config("spark.sql.warehouse.dir", os.path.join(os.getcwd(), "warehouse"))
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.default.parallelism", "2")
        .config("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
        .config("spark.kryo.registrator", "org.apache.spark.HoodieSparkKryoRegistrar")
        .config(
            "spark.sql.extensions", "org.apache.spark.sql.hudi.HoodieSparkSessionExtension"
        )
        .config(
            "spark.sql.catalog.spark_catalog", "org.apache.spark.sql.hudi.catalog.HoodieCatalog"
        )
    )
    if time_zone:
        builder = builder.config("spark.sql.session.timeZone", time_zone)
    for key, value in conf.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel(os.environ.get("HUDI_LAKE_SPARK_LOG_LEVEL", "WARN"))
    jvm = spark._jvm
    return {
        "sparkVersion": spark.version,
        "jvmPid": jvm.java.lang.ProcessHandle.current().pid(),
        "timeZone": jvm.java.util.TimeZone.getDefault().getID(),
        "javaVersion": jvm.java.lang.System.getProperty("java.version"),
    }


def type_name(field):
    kinds = [
        (StringType, "string"),
        (BooleanType, "boolean"),
        (ByteType, "int"),
        (ShortType, "int"),
        (IntegerType, "int"),
        (LongType, "long"),
        (FloatType, "float"),
        (DoubleType, "double"),
        (DateType, "date"),
        (TimestampType, "timestamp"),
        (TimestampNTZType, "timestamp"),
        (BinaryType, "binary"),
        (NullType, "null"),
    ]
    for kind, name in kinds:
        if isinstance(field.dataType, kind):
            return name
    if isinstance(field.dataType, DecimalType):
        return "decimal(%d,%d)" % (field.dataType.precision, field.dataType.scale)
    if isinstance(field.dataType, (ArrayType, MapType, StructType)):
        return "nested"
    name = "%s %s" % (field.name, field.dataType.simpleString())
    raise TypeError("column %s has a type that is not known" % name)


def nested_value(data_type, value):
    """Structs as pairs, maps as dictionaries."""
    if value is None:
        return None
    if isinstance(data_type, StructType):
        return tuple(
            (field.name, nested_value(field.dataType, value[field.name])) for field in data_type
        )
    if isinstance(data_type, MapType):
        return {key: nested_value(data_type.valueType, item) for key, item in value.items()}
    if isinstance(data_type, ArrayType):
        return [nested_value(data_type.elementType, item) for item in value]
    return value


def carry(column, field):
    """The expression that brings a value to Python without a change by a time zone or a calendar."""
    if isinstance(field.dataType, TimestampType):
        return F.expr("cast(unix_micros(%s) as string)" % column)
    if isinstance(field.dataType, TimestampNTZType):
        return F.expr("cast(unix_micros(to_utc_timestamp(%s, 'UTC')) as string)" % column)
    if isinstance(field.dataType, (LongType, DateType)):
        return F.expr("cast(%s as string)" % column)
    return F.col(column)


def encode_value(kind, field, value):
    if value is None:
        return None
    if kind == "nested":
        return encode_nested(nested_value(field.dataType, value))
    if kind in ("float", "double"):
        return encode_float(value)
    if kind.startswith("decimal"):
        # PySpark hands 1E-38 over as 1.0E-38; the scale of the type counts, not that of the value.
        return format(value, ".%sf" % re.search(r"(\d+)\)$", kind).group(1))
    if kind == "binary":
        return base64.b64encode(bytes(value)).decode()
    return value


def encode_frame(frame):
    fields = frame.schema.fields
    kinds = [type_name(field) for field in fields]
    names = ["c%d" % index for index in range(len(fields))]
    renamed = frame.toDF(*names)
    carried = renamed.select(*[carry(name, field).alias(name) for name, field in zip(names, fields)])
    return {
        "columns": [{"name": field.name, "type": kind} for field, kind in zip(fields, kinds)],
        "rows": [
            [encode_value(kind, field, value) for kind, field, value in zip(kinds, fields, row)]
            for row in (carried.collect() if fields else [])
        ],
    }


def sql(text):
    return encode_frame(spark.sql(text))


def is_meta_column(name):
    """The mark of deleted rows is a column of the table like any other."""
    return name.startswith("_hoodie_") and name != "_hoodie_is_deleted"


def read_table(path, options, as_of, columns, begin, end, meta_columns):
    reader = spark.read.format("hudi").options(**options)
    if begin is not None:
        reader = reader.option("hoodie.datasource.query.type", "incremental")
        reader = reader.option("hoodie.datasource.read.begin.instanttime", begin)
        if end is not None:
            reader = reader.option("hoodie.datasource.read.end.instanttime", end)
    elif as_of is not None:
        reader = reader.option("as.of.instant", as_of)
    frame = reader.load(path)
    names = columns
    if names is None:
        names = [name for name in frame.columns if meta_columns or not is_meta_column(name)]
    return encode_frame(frame.select(*["`%s`" % name.replace("`", "``") for name in names]))


def quote(name):
    return "`%s`" % name.replace("`", "``")


def parse_value(field):
    """Every value of a rows file is text; a text that does not fit its type is an error."""
    column = F.col(quote(field.name))
    if isinstance(field.dataType, TimestampType):
        return F.expr("timestamp_micros(cast(%s as bigint))" % quote(field.name))
    if isinstance(field.dataType, BinaryType):
        return F.unbase64(column)
    if isinstance(field.dataType, (ArrayType, MapType, StructType)):
        return F.from_json(column, field.dataType)
    return column.cast(field.dataType)


def load_rows(rows_path, schema_ddl, partitions):
    schema = _parse_datatype_string(schema_ddl)
    texts = StructType()
    for field in schema.fields:
        texts.add(field.name, StringType())
    # A cast that fails is an error, and a date before 1582 is not moved by the hybrid calendar.
    strict = ["spark.sql.ansi.enabled", "spark.sql.datetime.java8API.enabled"]
    for key in strict:
        spark.conf.set(key, "true")
    try:
        frame = spark.read.schema(texts).json(rows_path)
        frame = frame.select(*[parse_value(f).alias(f.name) for f in schema.fields])
        frame = frame.repartition(partitions) if partitions > 1 else frame.coalesce(1)
        # A frame read from a file has nullable columns only; the declared ones are put back.
        java_schema = spark._jsparkSession.parseDataType(schema.json())
        rows = frame._jdf.javaRDD()
        java_frame = spark._jsparkSession.createDataFrame(rows, java_schema)
        return type(frame)(java_frame, spark)
    finally:
        for key in strict:
            spark.conf.unset(key)


def load_source(rows_path, parquet_path, schema_ddl, partitions):
    if parquet_path is not None:
        return spark.read.parquet(parquet_path)
    return load_rows(rows_path, schema_ddl, partitions)


def write(path, rows_path, parquet_path, schema_ddl, partitions, options, mode):
    frame = load_source(rows_path, parquet_path, schema_ddl, partitions)
    start_time = time.perf_counter()
    frame.write.format("hudi").options(**options).mode(mode).save(path)
    return {"seconds": time.perf_counter() - start_time}


def hang_before_completion(**write_params):
    """Begins a write and answers once it hangs after its last data file, before its completion.

    Hudi runs a pre-commit validator between the two; the validator's query sleeps for a day.
    """
    system = "java_method('java.lang.System', 'setProperty', '%s', 'yes')" % HANG_PROPERTY
    sleep = "java_method('java.lang.Thread', 'sleep', cast(86400000 as bigint))"
    options = dict(write_params.pop("options"))
    options["hoodie.precommit.validators"] = (
        "org.apache.hudi.client.validator.SqlQueryEqualityPreCommitValidator"
    )
    options["hoodie.precommit.validators.equality.sql.queries"] = (
        "select concat(coalesce(%s, ''), coalesce(%s, ''))" % (system, sleep)
    )
    outcome = {}

    def run():
        try:
            write(options=options, **write_params)
            outcome["error"] = RuntimeError("the write completed although it should have hung")
        except Exception as error:
            outcome["error"] = error

    writer = threading.Thread(target=run, daemon=True)
    writer.start()
    while writer.is_alive():
        if spark._jvm.java.lang.System.getProperty(HANG_PROPERTY) is not None:
            return {"hanging": True}
        time.sleep(0.01)
    raise outcome["error"]


def describe_error(error):
    if isinstance(error, CapturedException) and error._origin is not None:
        return java_causes(error._origin)
    if isinstance(error, Py4JJavaError):
        return java_causes(error.java_exception)
    name = type(error).__name__
    if isinstance(error, PySparkException):
        return [{"className": name, "message": error.getMessage() or str(error)}]
    return [{"className": name, "message": str(error)}]


def java_causes(throwable):
    causes = []
    while throwable is not None and len(causes) < 20:
        message = throwable.getMessage() or ""
        # Spark's own messages repeat the driver's whole stack trace after the first line.
        message = re.split(r"\n\s*\n?Driver stacktrace:", message)[0]
        causes.append({"className": throwable.getClass().getName(), "message": message})
        throwable = throwable.getCause()
    return causes


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    serve(
        {
            "start": start,
            "sql": sql,
            "readTable": read_table,
            "write": write,
            "hangBeforeCompletion": hang_before_completion,
        },
        describe_error,
    )
    if spark is not None:
        spark.stop()
