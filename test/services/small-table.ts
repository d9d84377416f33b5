// A small table on a memory store for tests of the services, and what lies in the store.
import { HudiTable } from "../../src/hudi-table.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { createInstantFile } from "../../src/timeline/active-timeline.ts";
import type { Instant } from "../../src/timeline/instant.ts";
import type { TableContext } from "../../src/timeline/table-context.ts";
import { SMALL_WRITES, START_MS } from "../support/memory-table.ts";

export interface Row {
  readonly id: string;
  readonly part: string;
  readonly value: bigint;
}

export const row = (id: string, value: number, part = "p"): Row => ({
  id,
  part,
  value: BigInt(value),
});

type ChooseFault = (call: StorageCall) => Fault | undefined;

/** A table in partitions, of one bucket each where it is merge-on-read. */
export class SmallTable {
  readonly clock: SimulatedClock = new SimulatedClock(START_MS);
  store: MemoryStore = new MemoryStore(this.clock);
  #processes = 0;

  static async create(type: "copy-on-write" | "merge-on-read"): Promise<SmallTable> {
    const lab = new SmallTable();
    const index = type === "merge-on-read" ? { kind: "bucket", buckets: 1 } : { kind: "bloom" };
    const fields = { id: "string", part: "string", value: "long" };
    const definition = { name: "small", type, fields, recordKey: "id", partitionBy: "part", index };
    await HudiTable.create("memory:", definition as never, lab.options());
    return lab;
  }

  options(chooseFault: ChooseFault = () => undefined, store: MemoryStore = this.store) {
    this.#processes += 1;
    return {
      storage: new MemoryStorage(store, { chooseFault }),
      runtime: { clock: this.clock, random: seededRandom(this.#processes) },
      workers: { count: 0 },
      write: SMALL_WRITES,
    };
  }

  /** The table in a process of its own. */
  open(chooseFault?: ChooseFault, store?: MemoryStore): Promise<HudiTable<Row>> {
    this.clock.advance(1000);
    return HudiTable.open<Row>("memory:", this.options(chooseFault, store));
  }

  async context(): Promise<TableContext> {
    const { storage, runtime } = this.options();
    return { storage, runtime, config: (await this.open()).config };
  }

  /** One upsert; gives its instant. */
  async write(...rows: readonly Row[]): Promise<string> {
    return (await (await this.open()).upsert([...rows])).instant;
  }

  /** Several upserts of one row. */
  async writeTimes(count: number, id = "a", part = "p"): Promise<string[]> {
    const instants: string[] = [];
    for (let value = 0; value < count; value += 1) {
      instants.push(await this.write(row(id, value, part)));
    }
    return instants;
  }

  /** Puts an instant on the timeline as another engine may have. */
  async put(instant: Instant, content: Uint8Array = new Uint8Array(0)): Promise<void> {
    await createInstantFile(await this.context(), instant, content, { writeId: "other" });
  }

  /** Base files and logs of a partition, by instant of their name. */
  data(part = "p", store: MemoryStore = this.store): string[] {
    return [...store.paths()]
      .filter((path) => path.startsWith(`${part}/`) && /\.parquet$|\.log\./.test(path))
      .sort();
  }

  /** Names in the timeline folder, without the properties. */
  timeline(store: MemoryStore = this.store): string[] {
    return [...store.paths()]
      .filter((path) => /^\.hoodie\/\d[^/]*$/.test(path))
      .map((path) => path.slice(".hoodie/".length))
      .sort();
  }

  bytes(path: string, store: MemoryStore = this.store): Uint8Array {
    return store.find(path)?.bytes as Uint8Array;
  }
}
