// The partition path of each row. Rules: spec/format/record-key.md, RK-3 to RK-6, RK-11 and RK-13.

import { HudiError } from "../errors.ts";
import { type ColumnBatch, isPresent } from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import type { Steps } from "../runtime/steps.ts";
import type { KeyGenerator, PartitionField } from "./key-generator.ts";
import { formatColumn, requireKeyColumn, requireKeyPath } from "./key-text.ts";
import { timestampTexts } from "./timestamp-texts.ts";

/** The path segment of a row whose partition value is null or empty. */
export const DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__";

/** Bytes of a name that file systems take. */
const LONGEST_FOLDER = 255;

/** Rows worked through between two steps. */
const ROWS_A_STEP = 65_536;

/** The partition of each row: `paths[partitionOfRow[row]]`. */
export interface RowPartitions {
  readonly paths: readonly string[];
  readonly partitionOfRow: Int32Array;
}

/** How the values of one partition column become folders. */
export interface PartitionStyle {
  readonly field: string;
  readonly hiveStyle: boolean;
  readonly urlEncode: boolean;
}

/** What partition paths are made by. */
export interface PartitionScheme {
  readonly keyGenerator: Pick<KeyGenerator, "partitions" | "timestamps" | "hasLogicalTimestamps">;
  readonly hiveStyle: boolean;
  readonly urlEncode: boolean;
}

/** How messages name a row. */
type DescribeRow = (row: number) => string;

/** The partition path of each row. Throws `INVALID` naming the row whose value makes no path. */
export function* rowPartitions(
  batch: ColumnBatch,
  scheme: PartitionScheme,
  describeRow: DescribeRow,
): Steps<RowPartitions> {
  let result: RowPartitions | undefined;
  for (const partition of scheme.keyGenerator.partitions) {
    const folders = yield* partitionFolders(batch, partition, scheme, describeRow);
    result = result ? yield* nestFolders(result, folders) : folders;
  }
  if (!result) return { paths: [""], partitionOfRow: new Int32Array(batch.rowCount) };
  return mergeEqualPaths(result);
}

/** Each path once: a null and the text that stands for it are one folder. */
function mergeEqualPaths(partitions: RowPartitions): RowPartitions {
  const { paths, partitionOfRow } = partitions;
  const unique = [...new Set(paths)];
  if (unique.length === paths.length) return partitions;
  const numbers = new Map(unique.map((path, number) => [path, number]));
  const numberOf = paths.map((path) => numbers.get(path) as number);
  return {
    paths: unique,
    partitionOfRow: partitionOfRow.map((partition) => numberOf[partition] as number),
  };
}

/** The folder that one partition column gives each row. */
function partitionFolders(
  batch: ColumnBatch,
  { name, kind }: PartitionField,
  scheme: PartitionScheme,
  describeRow: DescribeRow,
): Steps<RowPartitions> {
  const style = { field: name, hiveStyle: scheme.hiveStyle, urlEncode: scheme.urlEncode };
  return kind === "timestamp"
    ? timeFolders(batch, style, scheme, describeRow)
    : valueFolders(batch, style, scheme, describeRow);
}

function* valueFolders(
  batch: ColumnBatch,
  style: PartitionStyle,
  { keyGenerator }: PartitionScheme,
  describeRow: DescribeRow,
): Steps<RowPartitions> {
  const partitionOfRow = new Int32Array(batch.rowCount);
  const column = requireKeyColumn(batch, style.field);
  const field = requireKeyPath(batch.schema, style.field);
  const texts = yield* formatColumn(field, column, keyGenerator.hasLogicalTimestamps);
  const values = new KeyTable(64);
  const paths: string[] = [];
  for (let row = 0; row < batch.rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    const start = isPresent(column, row) ? (texts.offsets[row] as number) : 0;
    const end = isPresent(column, row) ? (texts.offsets[row + 1] as number) : 0;
    const id = values.add(0, texts.data, start, end);
    if (id === paths.length) {
      const value = Buffer.from(values.keyBytes(id)).toString("utf8");
      paths.push(formatPartitionPath(value, style, () => describeRow(row)));
    }
    partitionOfRow[row] = id;
  }
  return { paths, partitionOfRow };
}

function* timeFolders(
  batch: ColumnBatch,
  style: PartitionStyle,
  { keyGenerator }: PartitionScheme,
  describeRow: DescribeRow,
): Steps<RowPartitions> {
  const { texts, textOfRow } = yield* timestampTexts(batch, style.field, keyGenerator, describeRow);
  const paths = texts.map((text) => {
    // Slashes of a format make levels; the format was checked for what else makes no folder.
    const folder = style.urlEncode ? encodePartitionValue(text) : text;
    return style.hiveStyle ? `${style.field}=${folder}` : folder;
  });
  return { paths, partitionOfRow: textOfRow };
}

/** Folders within folders: the paths that rows have, each once. */
function* nestFolders(outer: RowPartitions, inner: RowPartitions): Steps<RowPartitions> {
  const rowCount = outer.partitionOfRow.length;
  const partitionOfRow = new Int32Array(rowCount);
  const numbers = new Map<number, number>();
  const paths: string[] = [];
  for (let row = 0; row < rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    const above = outer.partitionOfRow[row] as number;
    const below = inner.partitionOfRow[row] as number;
    const pair = above * inner.paths.length + below;
    let number = numbers.get(pair);
    if (number === undefined) {
      number = paths.length;
      numbers.set(pair, number);
      paths.push(`${outer.paths[above]}/${inner.paths[below]}`);
    }
    partitionOfRow[row] = number;
  }
  return { paths, partitionOfRow };
}

/** The partition path of one value; an empty text stands for null as well. */
export function formatPartitionPath(
  value: string,
  style: PartitionStyle,
  describe: () => string,
): string {
  const encoded = style.urlEncode ? encodePartitionValue(value) : value;
  if (!style.urlEncode && /[/\\]/.test(value)) {
    throw invalidPartition(describe(), style.field, value, "it holds / or \\");
  }
  const segment = encoded === "" ? DEFAULT_PARTITION : encoded;
  if (/\p{Cc}/u.test(segment)) {
    throw invalidPartition(describe(), style.field, value, "it holds a control character");
  }
  if (segment.includes("..") || segment === ".") {
    throw invalidPartition(describe(), style.field, value, "it holds .. or is a dot");
  }
  const path = style.hiveStyle ? `${style.field}=${segment}` : segment;
  if (Buffer.byteLength(path) > LONGEST_FOLDER) {
    const fact = `which makes a folder of ${Buffer.byteLength(path)} bytes where ${LONGEST_FOLDER} are allowed`;
    throw invalidPartition(describe(), style.field, value, fact);
  }
  if (!style.hiveStyle && (path.startsWith(".") || path === "metadata" || path.startsWith("_"))) {
    if (path !== DEFAULT_PARTITION) {
      throw invalidPartition(describe(), style.field, value, "engines skip folders of this name");
    }
  }
  return path;
}

function invalidPartition(row: string, field: string, value: string, fact: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use ${row}: partition column ${field} has the value ${JSON.stringify(value.slice(0, 80))}, ${fact}; expected a value that can be one folder name`,
  );
}

/** Percent-encodes what Hudi encodes in a path segment. */
export function encodePartitionValue(value: string): string {
  let result = "";
  for (const char of value) {
    const code = char.codePointAt(0) as number;
    const escaped = code < 0x20 || code === 0x7f || "\"#%'*/:=?\\{[]^".includes(char);
    result += escaped ? `%${code.toString(16).toUpperCase().padStart(2, "0")}` : char;
  }
  return result;
}
