// What callers hand in (rows, Arrow record batches, changes) as column batches. The host's event
// loop gets a turn every few thousand rows.
import { HudiError } from "../errors.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import type { Change } from "../layout/change.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import { BatchCollector } from "./batch-collector.ts";
import { identify, keyColumns, movedFrom, requireSameKey } from "./change-place.ts";
import { RowShapeBuilder, type RowShapes, shapeOfRow, wholeShape } from "./row-shapes.ts";

/** Anything that can be iterated, now or later. */
export type Source<T> = Iterable<T> | AsyncIterable<T>;

/** How sources are read. */
export interface RowSourceOptions {
  readonly schema: TableSchema;
  /** A batch is handed on when it holds this many bytes; default: all rows in one batch. */
  readonly batchBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Rows between two looks at the clock of the host. */
const ROWS_A_TURN = 1024;

/** Rows and Arrow record batches as column batches; at least one, which may be empty. */
export async function* readRowSource(
  rows: Source<unknown>,
  options: RowSourceOptions,
): AsyncGenerator<ColumnBatch> {
  const { schema, signal, batchBytes = Number.POSITIVE_INFINITY } = options;
  const collector = new BatchCollector(schema);
  const source = openSource(rows);
  let hasYielded = false;
  const add = (item: unknown): boolean => {
    if (isArrowBatch(item)) {
      collector.addArrow(item);
      return true;
    }
    collector.append(item);
    return collector.rowCount % ROWS_A_TURN === 0;
  };
  if (source.kind === "sync") {
    // Iterated as it is: a promise for each row would cost more than the row.
    for (const item of source.items) {
      if (!add(item)) continue;
      await yieldToHost(signal);
      if (collector.sizeBytes < batchBytes) continue;
      hasYielded = true;
      yield await collector.flush(signal);
    }
  } else {
    for await (const item of source.items) {
      if (!add(item)) continue;
      await yieldToHost(signal);
      if (collector.sizeBytes < batchBytes) continue;
      hasYielded = true;
      yield await collector.flush(signal);
    }
  }
  signal?.throwIfAborted();
  if (!hasYielded || !collector.isEmpty) yield await collector.flush(signal);
}

type OpenSource =
  | { readonly kind: "sync"; readonly items: Iterable<unknown> }
  | { readonly kind: "async"; readonly items: AsyncIterable<unknown> };

function openSource(source: Source<unknown>): OpenSource {
  const batches = (source as { batches?: unknown } | null)?.batches;
  if (isArrowTable(source)) return { kind: "sync", items: batches as readonly unknown[] };
  if (isArrowBatch(source)) return { kind: "sync", items: [source] };
  if (typeof source === "object" && source !== null) {
    if (Symbol.asyncIterator in source) return { kind: "async", items: source };
    if (Symbol.iterator in source) return { kind: "sync", items: source };
  }
  throw noSource(source);
}

/** The items of a source one by one, whichever kind it is. */
async function* iterate<T>(source: Source<T>): AsyncGenerator<T> {
  yield* openSource(source).items as AsyncIterable<T>;
}

function noSource(source: unknown): HudiError {
  return new HudiError(
    "INVALID",
    `cannot read rows: found ${typeof source}, expected an iterable of rows or Arrow record batches`,
  );
}

function isArrowTable(value: unknown): boolean {
  const table = value as { batches?: unknown; schema?: { fields?: unknown }; numCols?: unknown };
  return Array.isArray(table?.batches) && Array.isArray(table.schema?.fields);
}

function isArrowBatch(value: unknown): value is import("apache-arrow").RecordBatch {
  const batch = value as { schema?: { fields?: unknown }; numRows?: unknown; getChildAt?: unknown };
  return (
    typeof batch === "object" &&
    batch !== null &&
    typeof batch.numRows === "number" &&
    typeof batch.getChildAt === "function" &&
    Array.isArray(batch.schema?.fields) &&
    !isArrowTable(value)
  );
}

/** Rows of which some may lack columns. */
export interface PartialBatch {
  readonly batch: ColumnBatch;
  /** Absent where every row is whole. */
  readonly shapes: RowShapes | undefined;
}

/** Rows and record batches that may lack columns, all but the key, as one batch. */
export async function readPartialSource(
  source: Source<unknown>,
  config: TableConfig,
  options: RowSourceOptions,
): Promise<PartialBatch> {
  const { schema, signal } = options;
  const collector = new BatchCollector(schema);
  const shapes = new RowShapeBuilder();
  const required = keyColumns(config);
  const none = new Set<string>();
  for await (const item of iterate(source)) {
    if (isArrowBatch(item)) {
      collector.addArrow(item, required, true);
      const names = Object.fromEntries(item.schema.fields.map(({ name }) => [name, true]));
      shapes.add(shapeOfRow(names, schema, none, required), item.numRows);
    } else {
      const given = shapeOfRow(item, schema, none, required);
      collector.appendGiven(item, given);
      shapes.add(given);
    }
    if (collector.rowCount % ROWS_A_TURN === 0) await yieldToHost(signal);
  }
  return { batch: await collector.flush(signal), shapes: shapes.finish() };
}

/** Changes as one batch: a row each, and which of them delete their key. */
export interface ChangeBatch extends PartialBatch {
  readonly deletes: Uint8Array;
  /** The change that each row belongs to, for messages. */
  readonly changeOfRow: Int32Array;
}

/** Keys as one batch of rows that delete them. */
export async function readKeySource(
  source: Source<unknown>,
  config: TableConfig,
  options: RowSourceOptions,
): Promise<ColumnBatch> {
  const { schema, signal } = options;
  const collector = new BatchCollector(schema);
  const required = keyColumns(config);
  for await (const key of iterate(source)) {
    if (isArrowBatch(key)) collector.addArrow(key, required);
    else collector.appendPartial(key, required);
    if (collector.rowCount % ROWS_A_TURN === 0) await yieldToHost(signal);
  }
  return collector.flush(signal);
}

/**
 * Changes as rows in order. An update that moves its row to another partition becomes a delete
 * there and an insert here, unless a global index finds it anyway. Throws `INVALID` naming the change.
 */
export async function readChangeSource(
  source: Source<Change<Record<string, unknown>>>,
  config: TableConfig,
  options: RowSourceOptions,
): Promise<ChangeBatch> {
  const { schema } = options;
  const collector = new BatchCollector(schema, () => `change ${count}`);
  const shapes = new RowShapeBuilder();
  const whole = wholeShape(schema);
  const required = keyColumns(config);
  const deletes: number[] = [];
  const changeOfRow: number[] = [];
  let count = 0;
  const remove = (row: Record<string, unknown>): void => {
    deletes.push(1);
    changeOfRow.push(count);
    shapes.add(whole);
    collector.appendPartial(row, required);
  };
  for await (const item of iterate(source)) {
    const label = `change ${count}`;
    const change = requireChange(item, label);
    const { op, key, before } = change;
    if (op === "delete") {
      remove(identify(config, key, before));
    } else {
      requireSameKey(config, change, label);
      const after = change.after as Record<string, unknown>;
      const moved = movedFrom(config, schema, { key, before, after });
      if (moved) remove(moved);
      const row = moved ? fillFromBefore(change, label) : after;
      const unchanged = requireUnchanged(change, schema, required, label, moved !== undefined);
      deletes.push(0);
      changeOfRow.push(count);
      if (unchanged.size === 0) {
        collector.append(row);
        shapes.add(whole);
      } else {
        const given = whole.map((_, at) => (unchanged.has(schema.fields[at]?.name ?? "") ? 0 : 1));
        collector.appendGiven(row, given);
        shapes.add(given);
      }
    }
    count += 1;
    if (count % ROWS_A_TURN === 0) await yieldToHost(options.signal);
  }
  return {
    batch: await collector.flush(options.signal),
    shapes: shapes.finish(),
    deletes: Uint8Array.from(deletes),
    changeOfRow: Int32Array.from(changeOfRow),
  };
}

type UntypedChange = Change<Record<string, unknown>>;

/** The columns that a change leaves as they are, checked. A row that moves has them by now. */
function requireUnchanged(
  { unchanged = [] }: UntypedChange,
  schema: TableSchema,
  required: ReadonlySet<string>,
  label: string,
  hasMoved: boolean,
): ReadonlySet<string> {
  const refuse = (fact: string): never => {
    throw new HudiError("INVALID", `cannot use ${label}: ${fact}`);
  };
  if (!Array.isArray(unchanged)) {
    refuse(`unchanged is ${typeof unchanged}, expected a list of columns`);
  }
  for (const name of unchanged) {
    if (!schema.fields.some((field) => field.name === name)) {
      const expected = schema.fields.map((field) => field.name).join(", ");
      refuse(`unchanged names column ${JSON.stringify(name)}, expected one of ${expected}`);
    }
    if (required.has(name)) refuse(`unchanged names ${name}, which says what row is meant`);
  }
  return new Set(hasMoved ? [] : unchanged);
}

/** The row of a change that moves it away from what is stored: the source has to know all of it. */
function fillFromBefore(
  { before, after, unchanged = [] }: UntypedChange,
  label: string,
): Record<string, unknown> {
  const row = { ...after };
  for (const name of unchanged) {
    if (before?.[name] === undefined) {
      throw new HudiError(
        "INVALID",
        `cannot use ${label}: it moves its row to another partition and leaves column ${name} unchanged, expected its value in before; a table with a global index moves rows by itself`,
      );
    }
    row[name] = before[name];
  }
  return row;
}

function requireChange(item: unknown, label: string): Change<Record<string, unknown>> {
  const change = (item ?? {}) as Change<Record<string, unknown>>;
  const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
  const refuse = (fact: string): never => {
    throw new HudiError("INVALID", `cannot use ${label}: ${fact}`);
  };
  if (isArrowBatch(item)) {
    refuse(
      "found an Arrow record batch, expected { op, key, after }; upsert and delete take those",
    );
  }
  if (!["insert", "update", "delete"].includes(change.op)) {
    refuse(`op is ${JSON.stringify(change.op)}, expected insert, update or delete`);
  }
  if (!isObject(change.key)) refuse("key is missing, expected an object with the record key");
  if (change.op !== "delete" && !isObject(change.after)) {
    refuse(`after is missing, expected the whole row of an ${change.op}`);
  }
  return change;
}
