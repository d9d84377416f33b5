// A read that is planned: which slices, which columns, which rows; shared by all queries.

import { HudiError } from "../errors.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import { type ColumnBatch, storedColumn } from "../format/column-batch.ts";
import { createColumnBuilder } from "../format/column-builder.ts";
import { concatBatches } from "../format/column-concat.ts";
import { type Field, findField, isText, type TableSchema } from "../format/schema.ts";
import { DEFAULT_PARTITION, formatColumn, META_FIELDS } from "../layout/record-key.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { runAtOnce } from "../runtime/steps.ts";
import { BoundPredicate, type ColumnBounds, type Predicate } from "./predicate.ts";
import { fieldOf } from "./slice-scan.ts";

/** What every query can be asked for. */
export interface QueryOptions {
  /** Columns to return; default all of the table. Meta columns may be named. */
  readonly columns?: readonly string[] | undefined;
  readonly predicate?: Predicate | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A query made ready. */
export interface ReadPlan {
  readonly schema: TableSchema;
  readonly columns: readonly string[];
  readonly predicate: BoundPredicate | undefined;
  readonly slices: readonly FileSlice[];
  /** Only rows that one of these instants wrote; undefined for all. */
  readonly instants: ReadonlySet<string> | undefined;
  /** The last instant that the read includes; "" on a table without commits. */
  readonly upTo: string;
}

/** Checks the asked columns and binds the filter; throws `INVALID` for what the table lacks. */
export function bindQuery(
  schema: TableSchema,
  options: QueryOptions,
): Pick<ReadPlan, "schema" | "columns" | "predicate"> {
  const columns = options.columns ?? schema.fields.map((field) => field.name);
  if (columns.length === 0) {
    throw new HudiError("INVALID", "cannot read no columns: name at least one");
  }
  for (const name of columns) fieldOf(schema, name);
  const all = {
    name: schema.name,
    fields: [...schema.fields, ...META_FIELDS.map((n) => fieldOf(schema, n))],
  };
  const predicate = options.predicate && new BoundPredicate(options.predicate, all);
  return { schema, columns, predicate };
}

/**
 * Whether rows of a partition, or of partitions below a folder, can satisfy the filter, judged by
 * the value in the path.
 */
export function partitionFilter(
  config: TableConfig,
  schema: TableSchema,
  predicate: BoundPredicate | undefined,
): (partitionPath: string) => boolean {
  const name = config.partitionFields[0];
  const field = name === undefined ? undefined : findField(schema, name);
  if (!predicate || !field || config.partitionFields.length !== 1) return () => true;
  if (!predicate.columns.has(field.name)) return () => true;
  // Timestamp and custom key generators put another text into the path than the value's own.
  const generator = config.properties.get("hoodie.table.keygenerator.class") ?? "Simple";
  const type = config.properties.get("hoodie.table.keygenerator.type") ?? "SIMPLE";
  if (/Timestamp|Custom/.test(generator) || /TIMESTAMP|CUSTOM/.test(type)) return () => true;
  return (partitionPath) => {
    const bounds = partitionBounds(config, field, partitionPath);
    return predicate.mayMatch((column) => (column === field.name ? bounds : undefined));
  };
}

function partitionBounds(
  config: TableConfig,
  field: Field,
  partitionPath: string,
): ColumnBounds | undefined {
  const prefix = `${field.name}=`;
  const segment =
    config.hiveStyle && partitionPath.startsWith(prefix)
      ? partitionPath.slice(prefix.length)
      : partitionPath;
  // The default partition holds nulls and, of strings, empty values.
  if (segment === DEFAULT_PARTITION || segment === "default") return undefined;
  const text = config.urlEncode ? decodeSegment(segment) : segment;
  if (isText(field.type)) {
    // The folder may be the upper part of a value with slashes: that begins with it.
    const least = Buffer.from(text, "utf8");
    const greatest = Buffer.concat([least, Buffer.of(0x2f, 0xff)]);
    return { extremes: storedColumn(field.type, [least, greatest]), mayHoldNulls: false };
  }
  const builder = createColumnBuilder({ ...field, nullable: false });
  try {
    for (let extreme = 0; extreme < 2; extreme += 1)
      builder.append(parsePartitionValue(field, text));
  } catch {
    return undefined;
  }
  const extremes = builder.finish();
  // A value that does not read back as the path says nothing about the rows.
  const back = runAtOnce(formatColumn(field, extremes));
  const isExact = Buffer.from(back.data.subarray(0, back.offsets[1])).toString("utf8") === text;
  return isExact ? { extremes, mayHoldNulls: false } : undefined;
}

function decodeSegment(segment: string): string {
  return segment.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function parsePartitionValue(field: Field, text: string): unknown {
  switch (field.type.kind) {
    case "int":
      return Number(text);
    case "long":
    case "timestamp-micros":
      return BigInt(text);
    case "boolean":
      return text === "true";
    default:
      return text;
  }
}

/** The batches in pieces of at least some rows, so that tiny row groups do not make tiny batches. */
export async function* coalesceBatches(
  batches: AsyncIterable<ColumnBatch>,
  minRows: number,
): AsyncGenerator<ColumnBatch> {
  let held: ColumnBatch[] = [];
  let rowCount = 0;
  for await (const batch of batches) {
    held.push(batch);
    rowCount += batch.rowCount;
    if (rowCount < minRows) continue;
    yield concatBatches(held);
    held = [];
    rowCount = 0;
  }
  if (held.length > 0) yield concatBatches(held);
}
