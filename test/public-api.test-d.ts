// What the types of the public API promise, checked by the compiler alone: `npm run check` and
// public-api.test.ts read this file, and nothing runs it.
import { type RecordBatch, Schema } from "apache-arrow";
import {
  type Change,
  type Commit,
  HudiError,
  HudiTable,
  type Instant,
  isHudiError,
  type RowOf,
  type Scan,
  type TableDefinition,
} from "../src/index.ts";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_equal: Equal<A, B>): void {}

const fields = {
  id: "string",
  note: "string?",
  flag: "boolean",
  small: "int",
  big: "long?",
  ratio: "double",
  day: "date",
  moment: "timestamp-micros?",
  price: "decimal(10,2)",
  amount: "decimal(38,10)?",
  single: "float?",
  blob: "bytes",
  tags: "list<string?>?",
  counts: "map<list<long>>",
  point: "struct<x:int,y:list<int?>?>?",
  digest: "fixed(16)",
  size: "enum(SMALL, LARGE,x_1)?",
  sizes: "list<enum(A,B)?>",
  clock: "time-millis",
  exact: "time-micros?",
  instant: "timestamp-millis",
} as const;

interface Row {
  id: string;
  note: string | null;
  flag: boolean;
  small: number;
  big: bigint | null;
  ratio: number;
  day: Date;
  moment: bigint | null;
  price: string;
  amount: string | null;
  single: number | null;
  blob: Uint8Array;
  tags: (string | null)[] | null;
  counts: Record<string, bigint[]>;
  point: Record<string, unknown> | null;
  digest: Uint8Array;
  size: "SMALL" | "LARGE" | "x_1" | null;
  sizes: ("A" | "B" | null)[];
  clock: number;
  exact: bigint | null;
  instant: bigint;
}

// A field list is a row type.
same<RowOf<typeof fields>, Row>(true);

async function create(): Promise<void> {
  // The list is inferred in place, without `as const`.
  const table = await HudiTable.create("here", {
    name: "trips",
    type: "copy-on-write",
    fields: { id: "string", city: "string?", fare: "decimal(10,2)", at: "long" },
    recordKey: "id",
    partitionBy: "city",
    orderingField: "at",
  });
  type Trip = { id: string; city: string | null; fare: string; at: bigint };
  same<typeof table, HudiTable<Trip>>(true);

  // A schema of Avro or Arrow says nothing to the compiler; what rows are may be told.
  const avro = { type: "record", name: "r", fields: [{ name: "id", type: "string" }] } as const;
  const any = await HudiTable.create("here", {
    name: "t",
    type: "copy-on-write",
    schema: avro,
    recordKey: "id",
  });
  same<typeof any, HudiTable<Record<string, unknown>>>(true);
  const told = await HudiTable.create<{ id: string; at: bigint }>("here", {
    name: "t",
    type: "copy-on-write",
    schema: new Schema([]),
    recordKey: "id",
    orderingField: "at",
  });
  same<typeof told, HudiTable<{ id: string; at: bigint }>>(true);
  await HudiTable.create<{ id: string }>("here", {
    name: "t",
    type: "copy-on-write",
    schema: "{}",
    // @ts-expect-error: the key is a column of these rows
    recordKey: "key",
  });

  const base = { name: "t", type: "copy-on-write", fields: { id: "string" } } as const;
  // @ts-expect-error: the key is a column
  await HudiTable.create("here", { ...base, recordKey: "key" });
  // @ts-expect-error: so is the partition column
  await HudiTable.create("here", { ...base, recordKey: "id", partitionBy: "city" });
  // @ts-expect-error: and the ordering field
  await HudiTable.create("here", { ...base, recordKey: "id", orderingField: "at" });
  // @ts-expect-error: there is no such type
  await HudiTable.create("here", { ...base, fields: { id: "text" }, recordKey: "id" });
  await HudiTable.create("here", { ...base, type: "merge-on-read", recordKey: "id" });
  // @ts-expect-error: there is no such kind of table
  await HudiTable.create("here", { ...base, type: "mor", recordKey: "id" });
  await HudiTable.create("here", {
    ...base,
    recordKey: "id",
    index: { kind: "bucket", buckets: 4 },
  });
  // @ts-expect-error: a bucket index has a number of buckets
  await HudiTable.create("here", { ...base, recordKey: "id", index: { kind: "bucket" } });
  const user = { id: "string", user: "struct<id:string>", day: "date?", ms: "long" } as const;
  const folders = { field: "ms", type: "EPOCHMILLISECONDS", outputFormat: "yyyy" } as const;
  const keyed = await HudiTable.create("here", {
    ...base,
    fields: user,
    recordKey: ["user.id", "id"],
    partitionBy: ["day", folders],
  });
  same<typeof keyed, HudiTable<RowOf<typeof user>>>(true);
  await HudiTable.create("here", { ...base, fields: user, recordKey: "id", partitionBy: folders });
  // @ts-expect-error: each of several is a column
  await HudiTable.create("here", { ...base, fields: user, recordKey: ["id", "key"] });
  const nowhere = { ...folders, field: "at" } as const;
  // @ts-expect-error: and so is one of points in time
  await HudiTable.create("here", { ...base, fields: user, recordKey: "id", partitionBy: nowhere });
  const stays = { kind: "global-bloom", updatePartitionPath: false } as const;
  await HudiTable.create("here", { ...base, recordKey: "id", index: stays });
}

async function write(table: HudiTable<Row>, rows: Row[], later: AsyncIterable<Row>): Promise<void> {
  same<Awaited<ReturnType<typeof table.upsert>>, Commit>(true);
  await table.upsert(rows);
  await table.insert(later, { signal: AbortSignal.timeout(1) });
  await table.bulkInsert(new Set(rows), { checkpoint: { offset: "1" } });
  await table.delete([{ id: "a" }]);
  const change: Change<Row> = { op: "delete", key: { id: "a" } };
  await table.apply([change]);
  // @ts-expect-error: a row is whole
  await table.upsert([{ id: "a" }]);
  await table.upsert([{ id: "a", note: null }], { partial: true });
  // @ts-expect-error: a partial row has known columns too
  await table.upsert([{ id: "a", cost: 1 } satisfies Partial<Row>], { partial: true });
  await table.insertOverwrite(rows);
  await table.insertOverwriteTable(later);
  await table.deletePartitions(["day=2024-01-01", { day: new Date(0) }]);
  // @ts-expect-error: a partition is named by columns of the table
  await table.deletePartitions([{ city: "x" }]);
  await table.apply([{ op: "update", key: { id: "a" }, after: rows[0], unchanged: ["note"] }]);
  // @ts-expect-error: only columns stay unchanged
  await table.apply([{ op: "update", key: { id: "a" }, after: rows[0], unchanged: ["cost"] }]);
  // @ts-expect-error: a row has no other columns
  await table.upsert([{ ...(rows[0] as Row), cost: 1 } satisfies Row]);
  // @ts-expect-error: a column that is not nullable takes no null
  await table.upsert(rows.map((row) => ({ ...row, id: null })));
  // @ts-expect-error: a checkpoint holds texts
  await table.upsert(rows, { checkpoint: { offset: 1 } });
  // @ts-expect-error: an update or insert has a row
  await table.apply([{ op: "update", key: { id: 1 } }]);
}

async function read(table: HudiTable<Row>): Promise<void> {
  const all = table.read();
  same<typeof all, Scan<Row>>(true);
  const some = table.read({ columns: ["id", "price"] });
  same<typeof some, Scan<Pick<Row, "id" | "price">>>(true);
  for await (const row of some) same<typeof row, Pick<Row, "id" | "price">>(true);
  for await (const batch of some.batches()) same<typeof batch, RecordBatch>(true);
  same<Awaited<typeof some.upTo>, string>(true);
  const changed = table.incremental({ after: "20260101000000000", columns: ["small"] });
  same<typeof changed, Scan<Pick<Row, "small">>>(true);

  const changes = table.changes({ after: "20260101000000000" });
  same<typeof changes, Scan<Change<Row>>>(true);
  await table.apply(changes);

  table.read({ where: { small: { gte: 1, lt: 5 }, note: null, day: new Date(0), big: 1n } });
  table.read({ where: { kind: "not", part: { kind: "is-null", column: "note" } } });
  table.read({ asOf: new Date() });
  // @ts-expect-error: there is no such column
  table.read({ columns: ["id", "fare"] });
  // @ts-expect-error: nor in a filter
  table.read({ where: { fare: 1 } });
  // @ts-expect-error: a filter has values of its column
  table.read({ where: { small: "1" } });
  // @ts-expect-error: and known operators
  table.read({ where: { small: { about: 1 } } });
  // @ts-expect-error: what is not asked for is not there
  for await (const row of some) row.note;
  // @ts-expect-error: an incremental read ends at an instant
  table.incremental({ upTo: new Date() });
}

async function openUntyped(): Promise<void> {
  const table = await HudiTable.open("here");
  for await (const row of table.read({ columns: ["anything"] })) {
    same<(typeof row)["anything"], unknown>(true);
  }
  await using closing = table;
  same<Awaited<ReturnType<typeof closing.timeline>>, readonly Instant[]>(true);
  // @ts-expect-error: `drop` is the only choice
  await HudiTable.open("here", { metadataTable: "keep" });
  // @ts-expect-error: codecs have names
  await HudiTable.open("here", { write: { codec: "lz4" } });
}

function errors(error: unknown): string {
  if (isHudiError(error, "CONFLICT")) same<typeof error, HudiError>(true);
  // @ts-expect-error: codes are a closed set
  isHudiError(error, "OTHER");
  if (!(error instanceof HudiError)) return "";
  switch (error.code) {
    case "INVALID":
    case "NOT_FOUND":
    case "ALREADY_EXISTS":
    case "UNSUPPORTED":
    case "CONFLICT":
    case "EXPIRED":
    case "COMMIT_STATE_UNKNOWN":
    case "UNAVAILABLE":
    case "CORRUPT":
      return error.code;
  }
}

// A definition made apart from the call keeps its columns.
const definition = {
  name: "t",
  type: "copy-on-write",
  fields,
  recordKey: "id",
} as const satisfies TableDefinition;
same<RowOf<(typeof definition)["fields"]>, Row>(true);

export const checks: readonly unknown[] = [create, write, read, openUntyped, errors];
