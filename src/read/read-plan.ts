// A read that is planned: which slices, which columns, which rows; shared by all queries.

import { HudiError } from "../errors.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import { tableMergeRules } from "../file-group/table-merge-rules.ts";
import type { VisibleInstants } from "../file-group/visible-instants.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import { concatBatches } from "../format/column-concat.ts";
import type { TableSchema } from "../format/schema.ts";
import { META_FIELDS } from "../layout/record-key.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { BoundPredicate, type Predicate } from "./predicate.ts";
import { fieldOf, type LogReading } from "./slice-scan.ts";

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
  /** How logs are read, where a slice has some. */
  readonly logs: LogReading | undefined;
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

/** How the logs of slices are read; undefined where there are none. Throws `UNSUPPORTED`. */
export function planLogReading(
  { config, storage }: TableContext,
  schema: TableSchema,
  slices: readonly FileSlice[],
  visible: VisibleInstants,
): LogReading | undefined {
  if (slices.every(({ logFiles }) => logFiles.length === 0)) return undefined;
  if (!config.populatesMetaFields) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot merge logs of table ${storage.location}: found hoodie.populate.meta.fields=false, expected rows with record keys; compact the table with the engine that wrote it`,
    );
  }
  return { visible, rules: tableMergeRules(config, schema) };
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
