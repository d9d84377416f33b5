// Sizes of base files after a thousand commits, against the target. HUDI_LAKE_LONG=1 takes files of 4 MiB
// and rows to match, which lasts for many minutes.
import { env } from "node:process";
import { expect, test } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { baseSlices } from "../support/base-slices.ts";
import { createMemoryTable, SMALL_WRITES } from "../support/memory-table.ts";

const SCALE = env.HUDI_LAKE_LONG === "1" ? 64 : 1;
const TARGET_BYTES = SCALE * 64 * 1024;
const SMALL_BYTES = (TARGET_BYTES * 100) / 120;
const COMMITS = 1_000;
const REGIONS = ["eu", "us", "asia"];

type Row = { id: string; region: string; version: number; note: string };

const TABLE = {
  fields: { id: "string", region: "string", version: "int", note: "string" },
  recordKey: "id",
  partitionBy: "region",
} as const;

/** Rows that come and go as a seed decides: mostly new ones, changes of recent rows, few deletes. */
class Workload {
  #state = 20_261_130;
  readonly rows: Map<string, Row> = new Map();
  readonly #keys: string[] = [];

  next(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  #note(): string {
    let note = "";
    for (let length = 20 + this.next(60); length > 0; length -= 6) {
      note += this.next(2 ** 31).toString(36);
    }
    return note;
  }

  /** New rows of one region; the first ones get the most. */
  inserts(count: number): Row[] {
    const region = REGIONS[Math.min(this.next(3), this.next(3))] as string;
    return Array.from({ length: count }, () => {
      const id = `k${String(this.#keys.length).padStart(8, "0")}`;
      this.#keys.push(id);
      return this.#keep({ id, region, version: 0, note: this.#note() });
    });
  }

  updates(count: number): Row[] {
    return this.#pick(count).map((row) =>
      this.#keep({ ...row, version: row.version + 1, note: this.#note() }),
    );
  }

  deletes(count: number): Row[] {
    const rows = this.#pick(count);
    for (const { id } of rows) this.rows.delete(id);
    return rows;
  }

  #keep(row: Row): Row {
    this.rows.set(row.id, row);
    return row;
  }

  /** Rows of which most are among the newest. */
  #pick(count: number): Row[] {
    const picked = new Set<Row>();
    for (let n = 0; n < count; n += 1) {
      const age = Math.floor((this.next(1_000) / 1_000) ** 12 * this.#keys.length);
      const row = this.rows.get(this.#keys[this.#keys.length - 1 - age] as string);
      if (row) picked.add(row);
    }
    return [...picked];
  }
}

/** Removes versions of files that are not the newest, as a cleaner does. */
async function clean(table: HudiTable<Row>, store: MemoryStore): Promise<void> {
  const newest = new Set((await baseSlices(table)).map(({ baseFile }) => baseFile.path));
  const old = [...store.paths()].filter((path) => path.endsWith(".parquet") && !newest.has(path));
  store.delete(old);
}

/** Sizes as shares of the target, by partition. */
async function sharesOf(table: HudiTable<Row>): Promise<Map<string, number[]>> {
  const shares = new Map<string, number[]>();
  for (const { partitionPath, baseFile } of await baseSlices(table)) {
    const list = shares.get(partitionPath) ?? [];
    shares.set(partitionPath, [...list, baseFile.sizeBytes / TARGET_BYTES]);
  }
  return shares;
}

function printHistogram(shares: readonly number[]): void {
  const counts = Map.groupBy(shares, (share) => Math.floor(share * 10) / 10);
  const lines = [...counts]
    .sort(([a], [b]) => a - b)
    .map(
      ([from, files]) => `${(from * 100).toFixed(0).padStart(4)} %  ${"#".repeat(files.length)}`,
    );
  console.log(`files by share of the target\n${lines.join("\n")}`);
}

test("a thousand commits of inserts, updates and deletes leave files near the target (FS-1, FS-2, FS-6)", {
  timeout: SCALE * 600_000,
}, async () => {
  const write = { ...SMALL_WRITES, maxFileBytes: TARGET_BYTES, smallFileBytes: SMALL_BYTES };
  const { table, store, clock } = await createMemoryTable(TABLE, { write });
  const workload = new Workload();
  for (let commit = 0; commit < COMMITS; commit += 1) {
    clock.advance(1_000);
    if (commit % 10 === 5) {
      await table.delete(workload.deletes(SCALE * 5));
    } else {
      // One in a hundred brings what several files take, the others a part of one.
      const count = commit % 100 === 49 ? 2_000 : 10 + workload.next(30);
      const inserts = workload.inserts(SCALE * count);
      if (commit % 10 === 0) await table.insert(inserts);
      else await table.upsert([...inserts, ...workload.updates(SCALE * 3)]);
    }
    if (commit % 50 === 0) await clean(table, store);
  }
  const shares = await sharesOf(table);
  printHistogram([...shares.values()].flat());
  expect(shares.size).toBe(3);
  for (const [partition, sizes] of shares) {
    const far = sizes.filter((share) => share < 0.8 || share > 1.1);
    expect(far.length, `${partition}: ${far}`).toBeLessThanOrEqual(1);
    expect(Math.max(...sizes)).toBeLessThan(1.1);
  }
  expect([...shares.values()].flat().length).toBeGreaterThan(30);
  const ids = await table.read({ columns: ["id"] }).toArray();
  expect(ids.length).toBe(workload.rows.size);
});
