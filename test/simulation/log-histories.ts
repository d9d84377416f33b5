// Random histories of merge-on-read tables: writes of every kind by two processes in turn, services
// among them, one of the two dying in the middle. The table is compared with the model after every step.
import { expect } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import type { IndexDefinition } from "../../src/layout/index-definition.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { createFraction, seededRandom } from "../../src/runtime/random.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { processOptions, START_MS } from "../support/memory-table.ts";
import { ModelTable } from "../support/model-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { completedCommits, findTimelineFaults } from "../support/store-checks.ts";
import { EXPIRE_MS } from "./crash-scenarios.ts";

const REGIONS = ["eu", "us", "asia"];
const KEYS = 7;
const INDEXES: readonly IndexDefinition[] = [
  { kind: "bucket", buckets: 2 },
  { kind: "bloom" },
  { kind: "bucket", buckets: 1 },
  { kind: "simple" },
  { kind: "global-bloom" },
];

/** A commit and the table after it. */
interface Version {
  readonly instant: string;
  readonly model: ModelTable;
}

/** One step of a history: what is done to the table, and to the model where it takes effect. */
export interface LogStep {
  readonly name: string;
  /** Gives the commit, or undefined where rows stay as they are. */
  readonly run: (table: HudiTable<AnyRow>) => Promise<{ readonly instant: string } | undefined>;
  readonly apply: (model: ModelTable, by: string) => void;
}

/** A service that a history may run: it changes no row. */
export type LogService = (table: HudiTable<AnyRow>, history: LogHistory) => Promise<unknown>;

/** One history; everything in it is decided by its seed. */
export class LogHistory {
  readonly versions: Version[] = [];
  readonly trace: string[] = [];
  readonly store: MemoryStore;
  readonly #clock = new SimulatedClock(START_MS);
  readonly #random: () => number;
  readonly #empty: ModelTable;
  readonly #index: IndexDefinition;
  readonly #isOrdered: boolean;
  #tables: HudiTable<AnyRow>[] = [];
  #processes = 0;
  #version = 0;
  #death: number | undefined;
  #isDead = false;
  #calls = 0;

  constructor(seed: number) {
    this.store = new MemoryStore(this.#clock);
    const random = seededRandom(seed);
    this.#random = () => createFraction(random);
    this.#index = INDEXES[seed % INDEXES.length] as IndexDefinition;
    this.#isOrdered = seed % 4 !== 0;
    this.#empty = new ModelTable({
      recordKey: "id",
      partitionBy: "region",
      ...(this.#isOrdered && {
        orderingField: "version",
        compare: (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0),
      }),
      global: this.#index.kind.startsWith("global") ? "moves" : undefined,
      columns: { id: "required", region: "required", version: "required", amount: "nullable" },
    });
  }

  get model(): ModelTable {
    return this.versions.at(-1)?.model ?? this.#empty;
  }

  get #isGlobal(): boolean {
    return this.#index.kind.startsWith("global");
  }

  async begin(): Promise<void> {
    const fields = { id: "string", region: "string", version: "long", amount: "long?" } as const;
    await HudiTable.create(
      "memory:",
      {
        name: "simulated",
        type: "merge-on-read",
        fields,
        recordKey: "id",
        partitionBy: "region",
        ...(this.#isOrdered && { orderingField: "version" as const }),
        index: this.#index,
      },
      processOptions(this.store, { clock: this.#clock }),
    );
    this.#tables = [await this.#open(), await this.#open()];
  }

  /** Runs `steps` steps, one of which dies, with services in between. */
  async run(steps: number, services: readonly (readonly [string, LogService])[]): Promise<void> {
    await this.begin();
    const dying = 2 + this.below(steps - 3);
    for (let step = 0; step < steps; step += 1) {
      this.#clock.advance(1000);
      const place = this.below(2);
      const isService = services.length > 0 && this.#random() < 0.25;
      if (step === dying) this.#death = this.#calls + 1 + this.below(isService ? 12 : 20);
      const [name, service] = services[this.below(Math.max(1, services.length))] ?? [];
      if (isService && service && name) await this.#serve(place, name, service);
      else await this.#write(place, this.#chooseStep());
      // A write whose process died after its completion succeeds all the same.
      if (this.#isDead) await this.#restart(place);
      this.#death = undefined;
      await this.#check(this.#tables[1 - place] as HudiTable<AnyRow>);
    }
    await this.#checkPast();
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  async #open(): Promise<HudiTable<AnyRow>> {
    this.#processes += 1;
    const chooseFault = ({ isWrite }: StorageCall): Fault | undefined => {
      this.#calls += 1;
      if (this.#death === undefined || this.#calls < this.#death) return undefined;
      this.#death = undefined;
      this.#isDead = true;
      return isWrite && this.#random() < 0.5 ? "dies-after" : "dies-before";
    };
    const options = { clock: this.#clock, seed: 1000 + this.#processes, chooseFault };
    return HudiTable.open<AnyRow>("memory:", {
      ...processOptions(this.store, options),
      write: {
        ...processOptions(this.store, options).write,
        codec: "uncompressed",
        maxFileBytes: 4_500,
        smallFileBytes: 4_400,
      },
    });
  }

  async #write(place: number, { name, run, apply }: LogStep): Promise<void> {
    this.trace.push(name);
    const before = new Set(completedCommits(this.store));
    try {
      const commit = await run(this.#tables[place] as HudiTable<AnyRow>);
      if (commit) this.#note(commit.instant, apply);
    } catch (error) {
      if (!this.#isDead) throw error;
      this.trace.push(`${name} died: ${String(error).slice(0, 60)}`);
      const come = completedCommits(this.store).filter((time) => !before.has(time));
      if (come[0] !== undefined) this.#note(come[0], apply);
    }
  }

  async #serve(place: number, name: string, service: LogService): Promise<void> {
    this.trace.push(name);
    try {
      await service(this.#tables[place] as HudiTable<AnyRow>, this);
    } catch (error) {
      if (!this.#isDead && !isHudiError(error, "CONFLICT")) throw error;
      this.trace.push(`${name} failed: ${String(error).slice(0, 60)}`);
    }
  }

  /** A process comes back, and what it left has expired by the time of the next step. */
  async #restart(place: number): Promise<void> {
    this.#isDead = false;
    this.#clock.advance(EXPIRE_MS);
    this.#tables[place] = await this.#open();
  }

  #note(instant: string, apply: LogStep["apply"]): void {
    const model = this.model.copy();
    apply(model, instant);
    this.versions.push({ instant, model });
  }

  #chooseStep(): LogStep {
    const rows = (count: number): AnyRow[] => this.#newRows(1 + this.below(count));
    const kinds: readonly (() => LogStep)[] = [
      () => this.#upsert(rows(4)),
      () => this.#upsert(rows(4)),
      () => this.#upsert([...rows(2), ...this.#staleRows()]),
      () => this.#delete(),
      () => this.#change(),
      () => this.#partial(),
      () => {
        const replaced = this.#newRows(1 + this.below(2));
        return {
          name: `overwrite ${rowTexts(replaced).join("; ")}`,
          run: (table) => table.insertOverwrite(replaced),
          apply: (model, by) => model.overwrite(replaced, "partitions", by),
        };
      },
    ];
    const weights = [5, 5, 3, 3, 3, 3, 1];
    let left = this.#random() * weights.reduce((sum, weight) => sum + weight, 0);
    const chosen = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return (kinds[chosen] as () => LogStep)();
  }

  #upsert(rows: readonly AnyRow[]): LogStep {
    return {
      name: `upsert ${rowTexts(rows).join("; ")}`,
      run: (table) => table.upsert(rows),
      apply: (model, by) => model.upsert(rows, by),
    };
  }

  #delete(): LogStep {
    const keys = [this.#anyRow(), this.#anyRow()].map(({ id, region }) => ({ id, region }));
    return {
      name: `delete ${rowTexts(keys).join("; ")}`,
      run: (table) => table.delete(keys),
      apply: (model) => model.delete(keys),
    };
  }

  #change(): LogStep {
    const { id, region } = this.#anyRow();
    const [added] = this.#newRows(1) as [AnyRow];
    const changes: Change<AnyRow>[] = [
      { op: "insert", key: { id: added.id }, after: added },
      ...(id === added.id
        ? []
        : [{ op: "delete" as const, key: { id, region, version: this.#nextVersion() } }]),
    ];
    return {
      name: `apply ${rowTexts(changes as unknown as AnyRow[]).join("; ")}`,
      run: (table) => table.apply(changes),
      apply: (model, by) => model.apply(changes, by),
    };
  }

  #partial(): LogStep {
    const { id, region } = this.#anyRow();
    const row = { id, region, version: this.#nextVersion(), amount: BigInt(this.below(100)) };
    const { amount: _, ...without } = row;
    const given = this.#random() < 0.5 ? [row] : [without];
    return {
      name: `partial ${rowTexts(given).join("; ")}`,
      run: (table) => table.upsert(given, { partial: true }),
      apply: (model, by) => model.upsert(given, by),
    };
  }

  #nextVersion(): bigint {
    this.#version += 1;
    return BigInt(this.#version);
  }

  /** A key that the table has, or one that it may have. */
  #anyRow(): AnyRow {
    const stored = this.model.rows();
    if (stored.length > 0 && this.#random() < 0.7) {
      return stored[this.below(stored.length)] as AnyRow;
    }
    const number = this.below(KEYS);
    return { id: `k${number}`, region: REGIONS[this.below(REGIONS.length)] };
  }

  #newRows(count: number): AnyRow[] {
    const rows = new Map<string, AnyRow>();
    for (let index = 0; index < count; index += 1) {
      const id = `k${this.below(KEYS)}`;
      const region = REGIONS[this.below(REGIONS.length)] as string;
      const amount = this.#random() < 0.2 ? null : BigInt(this.below(100));
      const row = { id, region, version: this.#nextVersion(), amount };
      rows.set(this.#isGlobal ? id : `${id} ${region}`, row);
    }
    return [...rows.values()];
  }

  /** Older versions of rows that the table has: they lose, where there is an ordering field. */
  #staleRows(): AnyRow[] {
    if (!this.#isOrdered) return [];
    const stored = this.model.rows() as AnyRow[];
    if (stored.length === 0) return [];
    const row = stored[this.below(stored.length)] as AnyRow;
    return [{ ...row, version: 0n, amount: 4711n }];
  }

  async #check(table: HudiTable<AnyRow>): Promise<void> {
    const found = rowTexts(await table.read().toArray());
    expect(found, this.describe()).toEqual(rowTexts(this.model.rows()));
    expect(findTimelineFaults(this.store), this.describe()).toEqual([]);
  }

  async #checkPast(): Promise<void> {
    const [table] = this.#tables as [HudiTable<AnyRow>];
    const places = [0, 1, 2].map(() => this.below(Math.max(1, this.versions.length)));
    for (const place of places) {
      const version = this.versions[place];
      if (!version) continue;
      const { instant, model } = version;
      try {
        const rows = rowTexts(await table.read({ asOf: instant }).toArray());
        expect(rows, `as of ${instant}: ${this.describe()}`).toEqual(rowTexts(model.rows()));
        const later = new Set(this.versions.slice(place + 1).map((later) => later.instant));
        const pulled = rowTexts(await table.incremental({ after: instant }).toArray());
        const expected = rowTexts(this.model.rows(later));
        expect(pulled, `after ${instant}: ${this.describe()}`).toEqual(expected);
      } catch (error) {
        // What was cleaned or archived is refused, never wrong.
        if (!isHudiError(error, "EXPIRED")) throw error;
      }
    }
  }

  /** What happened, for messages. */
  describe(): string {
    return `${this.#index.kind}${this.#isOrdered ? "" : " without ordering"}\n${this.trace.join("\n")}`;
  }
}
