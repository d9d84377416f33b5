// `lake create`: an empty table.
import { basename } from "node:path";
import { type Command, Option } from "commander";
import type { IndexDefinition } from "../../layout/index-definition.ts";
import type { PartitionColumn } from "../../layout/key-definition.ts";
import type { KeyGeneratorKind } from "../../layout/key-generator.ts";
import type { SchemaTableDefinition, TableDefinition } from "../../layout/table-definition.ts";
import type { TimestampType, TimestampUnit } from "../../layout/timestamp-settings.ts";
import { addCommonFlags, type CommonFlags, parseNames } from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { storageSettings } from "../open-table.ts";
import { printResult } from "../print.ts";
import { listFields, loadSchemaFile, type SchemaPart } from "../schema-file.ts";
import { UsageError } from "../usage-error.ts";

interface CreateFlags extends CommonFlags {
  readonly name?: string;
  readonly schema: string;
  readonly type: "cow" | "mor";
  readonly recordKey: readonly string[];
  readonly partitionBy?: readonly string[];
  readonly keyGenerator?: KeyGeneratorKind;
  readonly timestampType?: TimestampType;
  readonly timestampUnit?: TimestampUnit;
  readonly inputFormat?: readonly string[];
  readonly inputZone?: string;
  readonly outputFormat?: string;
  readonly outputZone?: string;
  readonly orderingField?: string;
  readonly index: IndexDefinition["kind"];
  readonly buckets?: string;
  readonly moveKeys: boolean;
  readonly hiveStyle?: true;
  readonly urlEncode?: true;
  readonly timeZone: "utc" | "local";
}

const INDEX_KINDS: readonly IndexDefinition["kind"][] = [
  "bloom",
  "simple",
  "global-bloom",
  "global-simple",
  "bucket",
];

/** Declares the command. */
export function addCreateCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("create")
    .summary("make an empty table")
    .description("Makes an empty table of version 6, which Spark, Athena, PrestoDB and Trino read.")
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .requiredOption("--schema <file>", "columns: .json list, .avsc, .arrow or .parquet")
    .requiredOption(
      "--record-key <columns>",
      "what tells rows apart, such as id or a,b",
      parseNames,
    )
    .option("--name <name>", "name of the table; default: the last part of its location")
    .addOption(
      new Option("--type <type>", "copy on write or merge on read")
        .choices(["cow", "mor"])
        .default("cow"),
    )
    .option(
      "--partition-by <columns>",
      "one folder for each value; at:timestamp is one for points in time",
      parseNames,
    )
    .addOption(
      new Option("--key-generator <kind>", "default: what keys and partitions ask for").choices(
        KEY_GENERATORS,
      ),
    )
    .option(
      "--timestamp-type <type>",
      "UNIX_TIMESTAMP, EPOCHMILLISECONDS, DATE_STRING, SCALAR, ...",
    )
    .option("--timestamp-unit <unit>", "of SCALAR values: DAYS, SECONDS, MICROSECONDS, ...")
    .option("--input-format <pattern...>", "of DATE_STRING values, such as yyyy-MM-dd")
    .option("--input-zone <zone>", "of values without a zone; default: UTC")
    .option("--output-format <pattern>", "of the folders, such as yyyy/MM/dd")
    .option("--output-zone <zone>", "of the folders; default: UTC")
    .option("--ordering-field <column>", "of two versions of a row the greater value wins")
    .addOption(
      new Option("--index <kind>", "how rows are found by key")
        .choices(INDEX_KINDS)
        .default("bloom"),
    )
    .option("--buckets <count>", "file groups of a partition, with --index bucket")
    .option("--no-move-keys", "a global index leaves keys in the partition where they are")
    .option("--hive-style", "folders named column=value")
    .option("--url-encode", "percent-encode partition values, which allows / in them")
    .addOption(
      new Option("--time-zone <zone>", "zone of the instants")
        .choices(["utc", "local"])
        .default("utc"),
    );
  addCommonFlags(command);
  command.addHelpText("after", HELP);
  command.action((table: string, flags: CreateFlags) => runCreate(io, table, flags));
}

const KEY_GENERATORS: readonly KeyGeneratorKind[] = [
  "simple",
  "complex",
  "non-partitioned",
  "timestamp",
  "custom",
];

const HELP = `
A field list names the columns in order; ? allows null. The types are string,
boolean, int, long, float, double, bytes, fixed(n), decimal(p,s), enum(A,B),
date, time-millis, time-micros, timestamp-millis, timestamp-micros, list<t>,
map<t> and struct<name:t,...>. An Arrow or Parquet file gives its columns.

Example:
  echo '{"id": "long", "city": "string", "fare": "decimal(10,2)?"}' > trips.json
  lake create trips --schema trips.json --record-key id --partition-by city`;

async function runCreate(io: LakeIo, location: string, flags: CreateFlags): Promise<void> {
  const { signal, runtime } = io;
  const definition = createDefinition(location, flags, await loadSchemaFile(flags.schema));
  const { HudiTable } = await import("../../hudi-table.ts");
  const storage = storageSettings(flags);
  const options = { signal, runtime, storage };
  const table = await HudiTable.create(location, definition as TableDefinition, options);
  try {
    const { name, recordKey, partitionBy, orderingField } = definition;
    const parts = [
      `key ${[recordKey].flat().join(", ")}`,
      partitionBy === undefined
        ? "no partitions"
        : `partitions by ${table.config.partitionFields.join(", ")}`,
      ...(orderingField === undefined ? [] : [`ordering field ${orderingField}`]),
      `${flags.index} index`,
    ];
    const fields = listFields((await table.schema({ signal })).fields);
    const { schema: _, ...told } = definition as SchemaTableDefinition;
    const document = { table: table.location, version: table.config.version, ...told, fields };
    const text = `created ${name} at ${table.location}: copy-on-write, ${parts.join(", ")}\n`;
    await printResult(io, flags.json, document, text);
  } finally {
    await table[Symbol.asyncDispose]();
  }
}

function createDefinition(
  location: string,
  flags: CreateFlags,
  columns: SchemaPart,
): TableDefinition | SchemaTableDefinition {
  return {
    name: flags.name ?? nameOf(location),
    type: flags.type === "cow" ? "copy-on-write" : "merge-on-read",
    ...columns,
    recordKey: single(flags.recordKey),
    partitionBy:
      flags.partitionBy && single(flags.partitionBy.map((text) => readColumn(text, flags))),
    keyGenerator: flags.keyGenerator,
    orderingField: flags.orderingField,
    index: readIndex(flags),
    hiveStyle: flags.hiveStyle ?? false,
    urlEncode: flags.urlEncode ?? false,
    timelineZone: flags.timeZone === "local" ? "LOCAL" : "UTC",
  };
}

function readIndex({ index, buckets, moveKeys }: CreateFlags): IndexDefinition {
  if ((index === "bucket") !== (buckets !== undefined)) {
    throw new UsageError(
      `cannot use --index ${index} ${buckets === undefined ? "without" : "with"} --buckets: a bucket index has a number of buckets, no other has`,
    );
  }
  if (!moveKeys && !index.startsWith("global-")) {
    throw new UsageError(`cannot use --no-move-keys with --index ${index}: it never moves keys`);
  }
  if (index === "bucket") return { kind: index, buckets: Number(buckets) };
  if (index === "bloom" || index === "simple") return { kind: index };
  return { kind: index, updatePartitionPath: moveKeys };
}

/** One column as itself, several as a list. */
function single<T>(items: readonly T[]): T | readonly T[] {
  const [first] = items;
  return items.length === 1 && first !== undefined ? first : items;
}

/** `city`, `city:simple` or `at:timestamp`, which the timestamp flags tell of. */
function readColumn(text: string, flags: CreateFlags): PartitionColumn {
  const [name = "", kind = flags.keyGenerator === "timestamp" ? "timestamp" : "simple"] =
    text.split(":");
  if (kind === "simple") return name;
  if (kind !== "timestamp") {
    throw new UsageError(
      `cannot use --partition-by ${text}: found kind ${kind}, expected simple or timestamp`,
    );
  }
  const { timestampType: type, outputFormat } = flags;
  if (type === undefined || outputFormat === undefined) {
    throw new UsageError(
      `cannot use --partition-by ${text} without --timestamp-type and --output-format: they say what the folders are`,
    );
  }
  return {
    field: name,
    type,
    unit: flags.timestampUnit,
    inputFormat: flags.inputFormat,
    inputZone: flags.inputZone,
    outputFormat,
    outputZone: flags.outputZone,
  };
}

function nameOf(location: string): string {
  const name = basename(location.replace(/\/+$/, ""));
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name;
  throw new UsageError(
    `cannot name the table after ${JSON.stringify(name)}: say its name with --name`,
  );
}
