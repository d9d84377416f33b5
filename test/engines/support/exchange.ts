// A table that Spark and we write in turns, and the model that both must agree with.

import { expect } from "vitest";

import { HudiTable, type TableDefinition, type TableOptions } from "../../../src/index.ts";
import { makeEdgeRow } from "./edge-rows.ts";
import { canonicalRows, type EngineRow } from "./engine-rows.ts";
import { ExpectedTable, type WriteStep } from "./expected-table.ts";
import type { HudiRsReader } from "./hudi-rs-reader.ts";
import { collectEngineRows, formatSparkColumns } from "./lake-rows.ts";
import { writeStep } from "./lake-writer.ts";
import { sparkWriteOptions } from "./matrix-engines.ts";
import { partitionNames } from "./shape-builder.ts";
import type { SparkSession } from "./spark-session.ts";

const DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__";

/** How the two sides write. */
export interface ExchangeOptions {
  readonly path: string;
  readonly definition: TableDefinition;
  readonly table?: TableOptions;
  /** Options of Spark's writes beside those that the table asks for. */
  readonly sparkOptions?: Readonly<Record<string, string>>;
}

/** What Spark can be asked to write. */
export type SparkStep = Exclude<WriteStep, { kind: "apply" | "partial" }>;

/** A shared table with its model. */
export class Exchange {
  readonly path: string;
  readonly expected: ExpectedTable;
  readonly table: HudiTable;
  readonly #options: ExchangeOptions;

  constructor(options: ExchangeOptions, table: HudiTable) {
    this.path = options.path;
    this.table = table;
    this.#options = options;
    const { recordKey, partitionBy, orderingField } = options.definition;
    this.expected = new ExpectedTable({
      key: recordKey,
      partition: partitionNames({ partitionBy }),
      ordering: orderingField,
      isGlobal: this.isGlobal,
    });
  }

  /** Creates the table. */
  static async create(options: ExchangeOptions): Promise<Exchange> {
    const { path, definition, table } = options;
    return new Exchange(options, (await HudiTable.create(path, definition, table)) as HudiTable);
  }

  /** Whether a key is found in whatever partition it is. */
  get isGlobal(): boolean {
    return this.#options.definition.index?.kind.startsWith("global") === true;
  }

  /** One write of ours; gives its instant. */
  async writeOurs(step: WriteStep): Promise<string> {
    const { instant } = await writeStep(this.table, step);
    this.expected.write(step);
    return instant;
  }

  /** One write of Spark. */
  async writeSpark(
    spark: SparkSession,
    step: SparkStep,
    more: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const schema = formatSparkColumns(await this.table.schema());
    const options = { ...this.sparkOptions(), ...more };
    const { path } = this;
    if (step.kind === "delete") await spark.delete({ path, rows: step.keys, schema, options });
    else if (step.kind === "deletePartitions") {
      const { partitionBy = "" } = this.#options.definition;
      const folders = step.values.map((value) => `${partitionBy}=${value ?? DEFAULT_PARTITION}`);
      await spark.write({
        path,
        rows: [],
        schema,
        options: {
          ...options,
          "hoodie.datasource.write.operation": "delete_partition",
          "hoodie.datasource.write.partitions.to.delete": folders.join(","),
        },
        mode: "append",
      });
    } else {
      const operation = step.kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      await spark.write({
        path,
        rows: step.rows,
        schema,
        options: { ...options, "hoodie.datasource.write.operation": operation },
        mode: step.kind === "insertOverwriteTable" ? "overwrite" : "append",
      });
    }
    this.expected.write(step);
  }

  /** The options that Spark's writes are given. */
  sparkOptions(): Record<string, string> {
    const { definition, sparkOptions } = this.#options;
    return { ...sparkWriteOptions({ definition }), ...sparkOptions };
  }

  /** Checks that we, Spark and hudi-rs read what the model holds. */
  async agree(spark: SparkSession, hudiRs?: HudiRsReader): Promise<void> {
    const wanted = canonicalRows(this.expected.rows);
    expect(canonicalRows(await this.readOurs())).toEqual(wanted);
    expect(canonicalRows(await spark.readTable(this.path))).toEqual(wanted);
    if (hudiRs) expect(canonicalRows(await hudiRs.read(this.path))).toEqual(wanted);
  }

  /** What we read. */
  async readOurs(): Promise<EngineRow[]> {
    return collectEngineRows(this.table.read(), await this.table.schema());
  }

  /** A row of the model by its place in the order of keys, wherever that is now. */
  pickRows(count: number, seed: number): EngineRow[] {
    const rows = [...this.expected.rows].sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
    const picked = new Set<EngineRow>();
    for (let index = 0; index < count && rows.length > 0; index += 1) {
      const row = rows[(seed * 31 + index * 7) % rows.length];
      if (row) picked.add(row);
    }
    return [...picked];
  }

  /** Updates of some rows in version `at`, a stale one that must lose, and some new rows. */
  upsertStep(
    seed: number,
    at: bigint,
    regions: readonly (string | null)[],
  ): WriteStep & { kind: "upsert" } {
    const [stale, ...updated] = this.pickRows(6, seed);
    const created = Array.from({ length: 5 }, (_, offset) => {
      const index = seed * 5 + offset;
      return makeEdgeRow(index, at, { region: regions[index % regions.length] ?? null });
    });
    return {
      kind: "upsert",
      rows: [
        ...updated.map((row) => ({ ...row, at, note: `updated at ${at}`, price: "-7.25" })),
        ...(stale ? [{ ...stale, at: -1n, note: "stale, must not be seen" }] : []),
        ...created,
      ],
    };
  }

  /** Deletes of some rows and of a key that is not there. */
  deleteStep(seed: number, at: bigint): WriteStep & { kind: "delete" } {
    const keys = this.pickRows(2, seed + 1).map((row) => ({ ...row, at }));
    return { kind: "delete", keys: [...keys, makeEdgeRow(99_999, at, { region: "north" })] };
  }

  async close(): Promise<void> {
    await this.table[Symbol.asyncDispose]();
  }
}
