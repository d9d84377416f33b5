// Writes tables of a thousand columns, many of them five levels deep, in a process of its own. Its
// argument is the module to import.
import type { HudiTable } from "../../src/index.ts";
import { serveCalls } from "./child-program.ts";
import { measure, type Sample } from "./measure.ts";

/** One write into a wide table. */
export interface WideCall {
  readonly kind: "create" | "upsert";
  readonly tablePath: string;
  readonly columns: number;
  /** Rows that are written, `step` keys apart. */
  readonly rowCount: number;
  readonly step: number;
  /** Value of the ordering field. */
  readonly at: number;
  readonly workers: number;
}

/** What a write cost, and what it did. */
export interface WideAnswer {
  readonly sample: Sample;
  readonly inserted: number;
  readonly updated: number;
}

const DEEP = "struct<a:list<struct<b:map<list<int?>?>?,c:string?>?>?,d:long?>?";
const KINDS: readonly string[] = [
  ...["string?", DEEP, "long?", DEEP, "double?", DEEP, "list<string?>?", DEEP],
  ...["decimal(18,4)?", "map<struct<x:int?,y:string?>?>?"],
];

function fieldsOf(columns: number): Record<string, string> {
  const fields: Record<string, string> = { id: "string", at: "long" };
  for (let column = 2; column < columns; column += 1) {
    fields[`c${column}`] = KINDS[column % KINDS.length] as string;
  }
  return fields;
}

/** About 28 bytes a column, an eleventh of them null. */
function someValue(kind: string, number: number): unknown {
  if (number % 11 === 0) return null;
  switch (kind) {
    case "string?":
      return `value ${number} of a column`;
    case "long?":
      return BigInt(number) * 1_000_003n;
    case "double?":
      return number / 7;
    case "list<string?>?":
      return number % 3 === 0 ? [] : [`a${number}`, null, "b"];
    case "decimal(18,4)?":
      return `${number}.1234`;
    case DEEP: {
      const items = [{ b: { k: [number, null], l: [] }, c: `t${number}` }, null];
      return { a: number % 5 === 0 ? null : items, d: BigInt(number) };
    }
    default:
      return { k1: { x: number, y: "y" }, k2: null };
  }
}

/** Rows that are made as they are asked for, from a few that are made once. */
function* rowsOf({ columns, rowCount, step, at }: WideCall): Generator<Record<string, unknown>> {
  const some = Array.from({ length: Math.min(rowCount, 250) }, (_, row) => {
    const values: Record<string, unknown> = {};
    for (let column = 2; column < columns; column += 1) {
      const kind = KINDS[column % KINDS.length] as string;
      values[`c${column}`] = someValue(kind, row * 31 + column * 7 + at);
    }
    return values;
  });
  for (let row = 0; row < rowCount; row += 1) {
    const id = `key ${String(row * step).padStart(9, "0")}`;
    yield { id, at: BigInt(at), ...some[row % some.length] };
  }
}

const library = (await import(process.argv[2] as string)) as typeof import("../../src/index.ts");

async function openTable(call: WideCall): Promise<HudiTable> {
  const options = { workers: { count: call.workers } };
  if (call.kind === "upsert") return library.HudiTable.open(call.tablePath, options);
  const definition = {
    name: "wide",
    type: "copy-on-write",
    fields: fieldsOf(call.columns) as Readonly<Record<string, "string">>,
    recordKey: "id",
    orderingField: "at",
  } as const;
  const table = await library.HudiTable.create(call.tablePath, definition, options);
  return table as unknown as HudiTable;
}

async function write(call: WideCall): Promise<WideAnswer> {
  const table = await openTable(call);
  try {
    const rows = rowsOf(call);
    const { sample, result } = await measure(() =>
      call.kind === "create" ? table.bulkInsert(rows) : table.upsert(rows),
    );
    const { inserted, updated } = result;
    return { sample, inserted, updated };
  } finally {
    await table.close();
  }
}

serveCalls({ write });
