// Delta commits of 100 k uniform rows into merge-on-read tables of 1 M and 10 M rows with a bucket
// index, beside the same upsert into a copy-on-write table and Spark's delta commit; then reads of the
// table whose logs hold a tenth of the rows, beside reads of its base files alone.
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { COLUMNS, type DataFile, expectedRowsSql } from "./support/dataset.ts";
import { digestQuery, requireSameDigest } from "./support/digest.ts";
import type { Contestant, Engine, Outcome, TableKind } from "./support/engines.ts";
import { LakeEngine, type TableState } from "./support/lake-engine.ts";
import { runCase } from "./support/rounds.ts";
import { SparkEngine } from "./support/spark-engine.ts";
import { copyTable, removeOldVersions } from "./support/table-copy.ts";

/** Rows of a bucket, about as many as a file of 50 MB holds. */
const ROWS_A_BUCKET = 250_000;

interface Writer extends Contestant {
  readonly engine: Engine;
  readonly kind: TableKind;
}

async function startWriters(
  context: BenchContext,
  lake: LakeEngine,
  buckets: number,
): Promise<Writer[]> {
  const settings = context.engineSettings();
  const wants = new Set(context.options.engines);
  const describe = (path: string): Promise<TableState> => lake.describe(path);
  const writers: Writer[] = [];
  const add = (engine: Engine, type: TableKind["type"]): void => {
    const { name, variant } = engine;
    writers.push({ name, variant, engine, kind: { type, buckets } });
  };
  if (wants.has("ours")) {
    add(LakeEngine.start(settings, "arrow", "arrow"), "merge-on-read");
    add(LakeEngine.start(settings, "rows", "rows"), "merge-on-read");
    add(LakeEngine.start(settings, "arrow", "arrow, copy-on-write"), "copy-on-write");
  }
  if (wants.has("spark")) {
    const kind: TableKind = { type: "merge-on-read", buckets };
    add(await SparkEngine.start(settings, describe, kind), "merge-on-read");
  }
  return writers;
}

async function measureSize(context: BenchContext, baseRows: number): Promise<void> {
  const { small, changes, rounds, largeRounds } = context.sizes;
  const base = await context.dataset.base(baseRows);
  const change = await context.dataset.changes(baseRows, changes, "uniform");
  const expected = await digestQuery(expectedRowsSql(base, change));
  const buckets = Math.max(1, Math.round(baseRows / ROWS_A_BUCKET));
  const lake = LakeEngine.start(context.engineSettings(), "arrow", "helper");
  const writers = await startWriters(context, lake, buckets);
  const paths = new Map<Writer, string>();
  const name = `${formatRows(changes)} uniform rows into ${formatRows(baseRows)}`;
  try {
    for (const [index, writer] of writers.entries()) {
      const path = join(context.folder, `delta-${index}`);
      const twin = [...paths].find(([other]) => other.kind.type === writer.kind.type)?.[1];
      if (twin) await copyTable(twin, path);
      else await lake.build(path, base, writer.kind);
      await writer.engine.load([change]);
      paths.set(writer, path);
    }
    const isSmall = baseRows <= small;
    await runCase(context, writers, {
      name,
      rows: baseRows,
      rounds: isSmall ? rounds : largeRounds,
      warmups: isSmall ? 2 : 1,
      checksOnce: true,
      act: async (writer): Promise<Outcome> => {
        const tablePath = paths.get(writer) as string;
        const job = { kind: "upsert", tablePath, baseFiles: [], isRepeated: true } as const;
        const outcome = await writer.engine.write(job);
        if (writer.kind.type === "copy-on-write") await removeOldVersions(tablePath, outcome.files);
        // What a delta commit writes are its logs; base files stay as they are.
        return { ...outcome, files: writer.kind.type === "copy-on-write" ? outcome.files : [] };
      },
      check: async (writer) => {
        const tablePath = paths.get(writer) as string;
        const job = { tablePath, columns: COLUMNS, baseFiles: [] };
        requireSameDigest(writer.variant, await lake.digestRead(job), expected);
      },
    });
    const [ours] = writers;
    if (ours?.name !== "ours") return;
    await measureAmplification(context, lake, ours, paths.get(ours) as string, change, name);
    const rowCount = Number(expected.split(":")[0]);
    if (isSmall) await measureReads(context, lake, { base, change, buckets, rowCount });
  } finally {
    for (const { engine } of writers) {
      await engine.closeTables();
      await engine.stop();
    }
    await lake.stop();
    for (const path of paths.values()) await rm(path, { recursive: true, force: true });
  }
}

/** Bytes that one more delta commit adds, for each byte of its rows as an Arrow file has them. */
async function measureAmplification(
  context: BenchContext,
  lake: LakeEngine,
  writer: Writer,
  tablePath: string,
  change: DataFile,
  name: string,
): Promise<void> {
  const before = (await lake.describe(tablePath)).logBytes;
  await writer.engine.write({ kind: "upsert", tablePath, baseFiles: [], isRepeated: true });
  const added = (await lake.describe(tablePath)).logBytes - before;
  const incoming = (await stat(change.arrowPath)).size;
  context.record({
    kind: "value",
    case: name,
    engine: "ours",
    variant: writer.variant,
    round: 0,
    name: "write amplification",
    unit: "×",
    value: added / incoming,
  });
  context.progress(`${name}: ${added} bytes of logs for ${incoming} bytes of rows`);
}

/** A table with one delta commit of a tenth of its rows, read with its logs and without. */
async function measureReads(
  context: BenchContext,
  lake: LakeEngine,
  parts: {
    readonly base: readonly DataFile[];
    readonly change: DataFile;
    readonly buckets: number;
    readonly rowCount: number;
  },
): Promise<void> {
  const { base, change, buckets } = parts;
  const { small, rounds } = context.sizes;
  const tablePath = join(context.folder, "delta-read");
  await lake.build(tablePath, base, { type: "merge-on-read", buckets });
  await lake.load([change]);
  await lake.write({ kind: "upsert", tablePath, baseFiles: [] });
  const settings = context.engineSettings();
  const reader = LakeEngine.start(settings, "arrow");
  const contestants = [
    { name: "ours", variant: "with logs", readOptimized: false },
    { name: "ours", variant: "base files alone", readOptimized: true },
  ] as const;
  try {
    for (const columns of [COLUMNS, ["id", "city", "price"]]) {
      await runCase(context, contestants, {
        name: `read of ${columns.length} columns of ${formatRows(small)} rows, a tenth of them in logs`,
        rows: small,
        rounds,
        warmups: 2,
        act: ({ readOptimized }) =>
          reader.read({ tablePath, columns, readOptimized, baseFiles: [] }),
        check: async ({ readOptimized }, { rowCount }) => {
          const expected = readOptimized ? small : parts.rowCount;
          if (rowCount !== expected) throw new Error(`found ${rowCount} rows, not ${expected}`);
        },
      });
    }
  } finally {
    await reader.stop();
    await rm(tablePath, { recursive: true, force: true });
  }
}

async function run(context: BenchContext): Promise<void> {
  const { small, large } = context.sizes;
  for (const rows of context.options.small ? [small] : [small, large]) {
    await measureSize(context, rows);
  }
}

/** Delta commits, and reads of their logs. */
export const workload: Workload = {
  name: "delta-commit",
  title: "delta commit of 100 k uniform rows into 1 M and 10 M, reads with a tenth in logs",
  run,
};
