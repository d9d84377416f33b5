// Which row a change means: its key, and the partition it comes from and goes to.
// Rules: spec/format/merge-rules.md MR-8, spec/format/record-key.md RK-12 and RK-13.
import { HudiError } from "../errors.ts";
import { RowBatchBuilder } from "../format/row-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import { topColumn } from "../layout/key-text.ts";
import { rowPartitions } from "../layout/partition-path.ts";
import { isGlobalIndex, type TableConfig } from "../layout/table-config.ts";
import { runAtOnce } from "../runtime/steps.ts";

type Row = Readonly<Record<string, unknown>>;

/** A change as far as it says which row is meant. */
export interface PlacedChange {
  readonly key: Row;
  readonly before?: Row | undefined;
  readonly after?: Row | undefined;
}

/** The columns that say which row is meant: with a global index the key alone does. */
export function keyColumns(config: TableConfig): Set<string> {
  const places = isGlobalIndex(config) ? [] : config.partitionFields;
  return new Set([...config.recordKeyFields, ...places].map(topColumn));
}

/** Refuses a change whose `key` and `after` name different rows. */
export function requireSameKey(config: TableConfig, change: PlacedChange, label: string): void {
  for (const name of config.recordKeyFields) {
    const key = valueAt(change.key, name);
    if (key === undefined || sameValue(key, valueAt(change.after, name))) continue;
    throw new HudiError(
      "INVALID",
      `cannot use ${label}: key and after differ in ${name}; a key change is a delete of the old key and an insert of the new one`,
    );
  }
}

/** The columns of a delete that count: key, partition and, where the source knows it, ordering. */
export function identify(
  config: TableConfig,
  key: Row,
  before: Row | undefined,
): Record<string, unknown> {
  const names = [...keyColumns(config), ...(config.orderingField ? [config.orderingField] : [])];
  const row: Record<string, unknown> = {};
  for (const name of names) row[name] = key[name] === undefined ? before?.[name] : key[name];
  return row;
}

/** The old place of a row that an update moves to another partition. */
export function movedFrom(
  config: TableConfig,
  schema: TableSchema,
  { key, before, after = {} }: PlacedChange,
): Record<string, unknown> | undefined {
  if (isGlobalIndex(config)) return undefined;
  const differing = config.keyGenerator.partitions.filter(({ name }) => {
    const old = valueAt(before, name);
    return old !== undefined && !sameValue(old, valueAt(after, name));
  });
  if (differing.length === 0) return undefined;
  const place = identify(config, { ...key, ...placeOf(config, before, after) }, after);
  // The old row goes only where the new version would have replaced it.
  if (config.orderingField) place[config.orderingField] = after[config.orderingField];
  for (const field of config.recordKeyFields) place[topColumn(field)] ??= after[topColumn(field)];
  // Different points in time may lie in one folder.
  const isTime = differing.every(({ kind }) => kind === "timestamp");
  return isTime && isSameFolder(config, schema, place, after) ? undefined : place;
}

/** The partition columns as they were, where the source knows them. */
function placeOf(
  config: TableConfig,
  before: Row | undefined,
  after: Row,
): Record<string, unknown> {
  const names = config.partitionFields.map(topColumn);
  const known = names.map((name) => [
    name,
    before?.[name] === undefined ? after[name] : before[name],
  ]);
  return Object.fromEntries(known);
}

/** Whether two rows lie in one partition; rows that make none are told of when they are written. */
function isSameFolder(config: TableConfig, schema: TableSchema, a: Row, b: Row): boolean {
  const builder = new RowBatchBuilder(schema, (row) => `row ${row}`);
  const places = new Set(config.partitionFields.map(topColumn));
  try {
    for (const row of [a, b]) builder.appendPartial(row, places);
    const found = runAtOnce(rowPartitions(builder.finish(), config, (row) => `row ${row}`));
    return found.partitionOfRow[0] === found.partitionOfRow[1];
  } catch {
    return false;
  }
}

/** The value of a column, or of a field of a struct. */
function valueAt(row: Row | undefined, path: string): unknown {
  let value: unknown = row;
  for (const name of path.split(".")) {
    if (value === null || value === undefined) return value;
    value = (value as Row)[name];
  }
  return value;
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (typeof a === "bigint" || typeof b === "bigint") return String(a) === String(b);
  return a === b;
}
