// hoodie.properties: what a table is. Parse, validate, write, checksum.
// Rules: spec/format/table-layout.md, TBL-1 to TBL-9.
import { crc32 } from "node:zlib";
import { HudiError } from "../errors.ts";
import {
  KEY_GENERATOR_CLASS,
  KEY_GENERATOR_CLASSES,
  type KeyGenerator,
  type KeyGeneratorKind,
  parseKeyGenerator,
} from "./key-generator.ts";
import { PROPERTIES_BACKUP_PATH, PROPERTIES_PATH } from "./table-paths.ts";

/** How record keys are found again. */
export type IndexKind = "bloom" | "simple" | "global-bloom" | "global-simple" | "bucket";

/** Whether updates rewrite base files or are logged. */
export type TableType = "copy-on-write" | "merge-on-read";

/** The index of a table. */
export interface IndexConfig {
  readonly kind: IndexKind;
  /** Of a bucket index: how many file groups a partition has; never changes. */
  readonly buckets?: number;
  /** Of a global index: whether a key that comes with another partition moves there. */
  readonly updatePartitionPath?: boolean;
}

/** The settings of a table, from `hoodie.properties`. */
export interface TableConfig {
  readonly name: string;
  readonly databaseName: string;
  readonly type: TableType;
  /** 6, 8 or 9. */
  readonly version: number;
  readonly layout: 1 | 2;
  readonly recordKeyFields: readonly string[];
  readonly partitionFields: readonly string[];
  /** How record keys and partition paths are made of those. */
  readonly keyGenerator: KeyGenerator;
  readonly orderingField: string | undefined;
  readonly hiveStyle: boolean;
  readonly urlEncode: boolean;
  readonly timelineZone: "UTC" | "LOCAL";
  readonly createSchema: string | undefined;
  readonly metadataPartitions: readonly string[];
  readonly populatesMetaFields: boolean;
  readonly baseFileFormat: string;
  readonly keepsPartitionColumns: boolean;
  readonly index: IndexConfig;
  /** Key columns that a bucket index hashes. */
  readonly bucketHashFields: readonly string[];
  /** Every property as stored. */
  readonly properties: ReadonlyMap<string, string>;
}

/** What a new table is made of. */
export interface NewTableConfig {
  readonly name: string;
  readonly type: TableType;
  readonly recordKeyFields: readonly string[];
  readonly partitionFields: readonly string[];
  readonly keyGenerator: KeyGeneratorKind;
  /** Further properties of the key generator. */
  readonly keyProperties: readonly (readonly [string, string])[];
  readonly orderingField?: string | undefined;
  readonly hiveStyle: boolean;
  readonly urlEncode: boolean;
  readonly timelineZone: "UTC" | "LOCAL";
  readonly createSchema: string;
  readonly index: IndexConfig;
}

const VERSION = "hoodie.table.version";
const PAYLOAD = "org.apache.hudi.common.model";

/** CRC-32 of `<database>.<table>`: it only tells a truncated file from a whole one. */
export function tableChecksum(databaseName: string, name: string): string {
  return String(crc32(Buffer.from(`${databaseName}.${name}`, "utf8")));
}

/** The properties of a new table of version 6. */
export function createTableProperties(config: NewTableConfig): Map<string, string> {
  const properties = new Map<string, string>([
    ["hoodie.table.name", config.name],
    ["hoodie.database.name", "default"],
    ["hoodie.table.type", config.type === "copy-on-write" ? "COPY_ON_WRITE" : "MERGE_ON_READ"],
    [VERSION, "6"],
    ["hoodie.timeline.layout.version", "1"],
    ["hoodie.table.base.file.format", "PARQUET"],
    ["hoodie.table.checksum", tableChecksum("default", config.name)],
    ["hoodie.table.recordkey.fields", config.recordKeyFields.join(",")],
    ["hoodie.table.create.schema", config.createSchema],
    ["hoodie.table.timeline.timezone", config.timelineZone],
    ["hoodie.archivelog.folder", "archived"],
    ["hoodie.datasource.write.hive_style_partitioning", String(config.hiveStyle)],
    ["hoodie.datasource.write.partitionpath.urlencode", String(config.urlEncode)],
    ["hoodie.datasource.write.drop.partition.columns", "false"],
    ["hoodie.partition.metafile.use.base.format", "false"],
    ...indexProperties(config.index, config.recordKeyFields.join(",")),
  ]);
  if (config.partitionFields.length > 0) {
    properties.set("hoodie.table.partition.fields", config.partitionFields.join(","));
  }
  properties.set(KEY_GENERATOR_CLASS, KEY_GENERATOR_CLASSES[config.keyGenerator]);
  for (const [key, value] of config.keyProperties) properties.set(key, value);
  if (config.orderingField !== undefined) {
    properties.set("hoodie.table.precombine.field", config.orderingField);
    properties.set("hoodie.compaction.payload.class", `${PAYLOAD}.DefaultHoodieRecordPayload`);
  } else if (config.type === "merge-on-read") {
    properties.set("hoodie.compaction.payload.class", `${PAYLOAD}.OverwriteWithLatestAvroPayload`);
  }
  return properties;
}

function indexProperties(index: IndexConfig, hashFields: string): [string, string][] {
  const { kind, buckets, updatePartitionPath } = index;
  const properties: [string, string][] = [
    ["hoodie.index.type", kind.toUpperCase().replace("-", "_")],
  ];
  if (buckets !== undefined) {
    properties.push(["hoodie.index.bucket.engine", "SIMPLE"], [BUCKETS, String(buckets)]);
    properties.push([HASH_FIELDS, hashFields]);
  }
  const moves = MOVES.get(kind);
  if (moves !== undefined && updatePartitionPath !== undefined) {
    properties.push([moves, String(updatePartitionPath)]);
  }
  return properties;
}

const BUCKETS = "hoodie.bucket.index.num.buckets";
const HASH_FIELDS = "hoodie.bucket.index.hash.field";
/** The property of each global index that says whether keys move; true is Hudi's default. */
const MOVES: ReadonlyMap<IndexKind, string> = new Map([
  ["global-bloom", "hoodie.bloom.index.update.partition.path"],
  ["global-simple", "hoodie.simple.index.update.partition.path"],
]);

/** Whether a key stands once in the whole table, in whatever partition. */
export function isGlobalIndex({
  index,
  partitionFields,
}: Pick<TableConfig, "index" | "partitionFields">): boolean {
  return MOVES.has(index.kind) && partitionFields.length > 0;
}

/**
 * Java properties text: one line a property, ASCII only, escaped as Java escapes. The version, which
 * no table can do without, stands last, so that a file that was cut short is seen to be damaged.
 */
export function formatProperties(
  properties: ReadonlyMap<string, string>,
  savedAtMs: number,
): string {
  const entries = [...properties];
  const isVersion = ([key]: readonly [string, string]): boolean => key === VERSION;
  const lines = [...entries.filter((entry) => !isVersion(entry)), ...entries.filter(isVersion)].map(
    ([key, value]) => `${escapeProperty(key, true)}=${escapeProperty(value, false)}`,
  );
  return `#Properties saved on ${new Date(savedAtMs).toISOString()}\n${lines.join("\n")}\n`;
}

function escapeProperty(text: string, isKey: boolean): string {
  let result = "";
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index] as string;
    const code = text.charCodeAt(index);
    if (char === " " && (isKey || index === 0)) result += "\\ ";
    else if ("\\:=#!".includes(char)) result += `\\${char}`;
    else if (char === "\n") result += "\\n";
    else if (char === "\r") result += "\\r";
    else if (char === "\t") result += "\\t";
    else if (code < 0x20 || code > 0x7e)
      result += `\\u${code.toString(16).padStart(4, "0").toUpperCase()}`;
    else result += char;
  }
  return result;
}

/** Reads Java properties text, continuation lines and all escapes included. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  const lines = text.split(/\r\n|\n|\r/);
  for (let index = 0; index < lines.length; index += 1) {
    let line = (lines[index] as string).trimStart();
    if (line === "" || line.startsWith("#") || line.startsWith("!")) continue;
    while (/(^|[^\\])(\\\\)*\\$/.test(line)) {
      index += 1;
      line = line.slice(0, -1) + (lines[index] ?? "").trimStart();
    }
    const match = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(line);
    if (match)
      properties.set(unescapeProperty(match[1] as string), unescapeProperty(match[2] as string));
  }
  return properties;
}

function unescapeProperty(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return { n: "\n", r: "\r", t: "\t", f: "\f" }[code] ?? code;
  });
}

/**
 * The settings that properties mean. Throws `CORRUPT` for a damaged file and `UNSUPPORTED` for a
 * version or feature that this library does not read, naming it. `path` says which file it is.
 */
export function parseTableConfig(
  text: string,
  location: string,
  path: string = PROPERTIES_PATH,
): TableConfig {
  const properties = parseProperties(text);
  const damaged = (fact: string): HudiError => damagedProperties(location, path, fact);
  const require = (key: string): string => {
    const value = properties.get(key);
    if (value !== undefined && value !== "") return value;
    throw damaged(`it lacks ${key}`);
  };
  const name = require("hoodie.table.name");
  const databaseName = properties.get("hoodie.database.name") ?? "";
  const checksum = properties.get("hoodie.table.checksum");
  if (checksum !== undefined && checksum !== tableChecksum(databaseName, name)) {
    throw damaged(
      `hoodie.table.checksum is ${checksum}, expected ${tableChecksum(databaseName, name)}`,
    );
  }
  const version = requireVersion(require(VERSION), location);
  const layout = version >= 8 ? 2 : 1;
  if (require("hoodie.timeline.layout.version") !== String(layout)) {
    throw damaged(`version ${version} goes with hoodie.timeline.layout.version=${layout}`);
  }
  const list = (key: string): string[] =>
    (properties.get(key) ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  const ordering = list("hoodie.table.ordering.fields").concat(
    list("hoodie.table.precombine.field"),
  );
  const recordKeyFields = list("hoodie.table.recordkey.fields");
  const partitionFields = list("hoodie.table.partition.fields");
  return {
    name,
    databaseName,
    type: requireType(require("hoodie.table.type"), damaged),
    version,
    layout,
    recordKeyFields,
    partitionFields: partitionFields.map((field) => field.split(":")[0] as string),
    keyGenerator: parseKeyGenerator(properties, { version, recordKeyFields, partitionFields }),
    orderingField: ordering[0],
    hiveStyle: isTrue(properties, "hoodie.datasource.write.hive_style_partitioning"),
    urlEncode: isTrue(properties, "hoodie.datasource.write.partitionpath.urlencode"),
    timelineZone:
      properties.get("hoodie.table.timeline.timezone")?.toUpperCase() === "UTC" ? "UTC" : "LOCAL",
    createSchema: properties.get("hoodie.table.create.schema"),
    metadataPartitions: list("hoodie.table.metadata.partitions"),
    populatesMetaFields: properties.get("hoodie.populate.meta.fields") !== "false",
    baseFileFormat: (properties.get("hoodie.table.base.file.format") ?? "PARQUET").toUpperCase(),
    keepsPartitionColumns: !isTrue(properties, "hoodie.datasource.write.drop.partition.columns"),
    index: parseIndex(properties),
    bucketHashFields: parseHashFields(properties),
    properties,
  };
}

function isTrue(properties: ReadonlyMap<string, string>, key: string): boolean {
  return properties.get(key)?.toLowerCase() === "true";
}

/** The key columns that a bucket index hashes: all of them where properties name none. */
export function parseHashFields(properties: ReadonlyMap<string, string>): string[] {
  const text = properties.get(HASH_FIELDS) ?? properties.get("hoodie.table.recordkey.fields") ?? "";
  return text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The property that names the index. */
export const INDEX_TYPE = "hoodie.index.type";
/** What a caller may say of the index of a table whose properties do not. */
export const INDEX_PROPERTIES: readonly string[] = [
  INDEX_TYPE,
  "hoodie.index.bucket.engine",
  "hoodie.bucket.index.num.buckets",
  "hoodie.bucket.index.hash.field",
  "hoodie.bloom.index.update.partition.path",
  "hoodie.simple.index.update.partition.path",
];

const INDEX_KINDS: readonly IndexKind[] = [
  "bloom",
  "simple",
  "global-bloom",
  "global-simple",
  "bucket",
];

/** The index that properties name; `bloom`, as in Hudi, where they name none. */
export function parseIndex(properties: ReadonlyMap<string, string>): IndexConfig {
  const text = properties.get("hoodie.index.type")?.toLowerCase().replace("_", "-");
  const kind = INDEX_KINDS.find((known) => known === text) ?? "bloom";
  const buckets = Number(properties.get(BUCKETS));
  if (kind === "bucket") {
    return Number.isSafeInteger(buckets) && buckets > 0 ? { kind, buckets } : { kind };
  }
  const moves = MOVES.get(kind);
  if (moves === undefined) return { kind };
  return { kind, updatePartitionPath: properties.get(moves)?.toLowerCase() !== "false" };
}

function requireVersion(text: string, location: string): number {
  const version = Number(text);
  if (version === 6 || version === 8 || version === 9) return version;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot open table ${location}: found hoodie.table.version ${text}, expected 6, 8 or 9`,
    { path: PROPERTIES_PATH },
  );
}

function requireType(text: string, damaged: (fact: string) => HudiError): TableConfig["type"] {
  if (text.toUpperCase() === "COPY_ON_WRITE") return "copy-on-write";
  if (text.toUpperCase() === "MERGE_ON_READ") return "merge-on-read";
  throw damaged(`hoodie.table.type is ${text}, expected COPY_ON_WRITE or MERGE_ON_READ`);
}

function damagedProperties(location: string, path: string, fact: string): HudiError {
  const other = path === PROPERTIES_PATH ? PROPERTIES_BACKUP_PATH : PROPERTIES_PATH;
  return new HudiError(
    "CORRUPT",
    `cannot open table ${location}: ${path} is damaged, ${fact}; restore it from ${other} or a copy`,
    { path },
  );
}
