// The Parquet encoder alone: a million rows with the meta columns of a base file, from record batches
// or a table in memory to a file, against DuckDB with one thread and against parquet-wasm.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { ChildProgram } from "./support/child-program.ts";
import { type DataFile, expectedRowsSql } from "./support/dataset.ts";
import { digestBaseFiles, digestQuery, requireSameDigest } from "./support/digest.ts";
import type { EncoderAnswer } from "./support/encoder-program.ts";
import type { Contestant, EngineName, Outcome } from "./support/engines.ts";
import { runCase } from "./support/rounds.ts";

const CODECS = ["snappy", "zstd"] as const;
type Codec = (typeof CODECS)[number];

class Encoder implements Contestant {
  readonly name: EngineName;
  readonly variant: string;
  readonly #program: ChildProgram;

  constructor(name: EngineName, variant: string, program: ChildProgram) {
    this.name = name;
    this.variant = variant;
    this.#program = program;
  }

  async load(file: DataFile): Promise<void> {
    const isDuckdb = this.name === "duckdb";
    const path = isDuckdb ? file.parquetPath : file.arrowPath;
    await this.#program.call(isDuckdb ? "loadWhole" : "load", { path });
  }

  async encode(path: string, codec: Codec): Promise<Outcome> {
    const answer = await this.#program.call<EncoderAnswer>("encode", { path, codec });
    return { ...answer, files: [path] };
  }

  stop(): Promise<void> {
    return this.#program.stop();
  }
}

function startEncoders(context: BenchContext): Encoder[] {
  const start = (name: EngineName, variant: string, file: string, args: string[]): Encoder =>
    new Encoder(
      name,
      variant,
      ChildProgram.start(name, new URL(`./support/${file}`, import.meta.url), args),
    );
  const encoders: Readonly<Partial<Record<EngineName, () => Encoder>>> = {
    ours: () => start("ours", "record batches", "encoder-program.ts", ["ours", context.library]),
    duckdb: () => start("duckdb", "1 thread", "duckdb-program.ts", ["1"]),
    "parquet-wasm": () =>
      start("parquet-wasm", "1 thread", "encoder-program.ts", ["parquet-wasm", context.library]),
  };
  return context.options.engines.flatMap((name) => encoders[name]?.() ?? []);
}

async function run(context: BenchContext): Promise<void> {
  const { small, rounds } = context.sizes;
  const file = await context.dataset.whole(small);
  const expected = await digestQuery(expectedRowsSql([file]));
  await mkdir(context.folder, { recursive: true });
  const encoders = startEncoders(context);
  try {
    for (const encoder of encoders) await encoder.load(file);
    for (const codec of CODECS) {
      await runCase(context, encoders, {
        name: `${formatRows(small)} rows, ${codec}`,
        rows: small,
        rounds,
        warmups: 2,
        act: (encoder) => encoder.encode(join(context.folder, "encoded.parquet"), codec),
        check: async (encoder, { files }) =>
          requireSameDigest(encoder.variant, await digestBaseFiles(files), expected),
      });
    }
  } finally {
    for (const encoder of encoders) await encoder.stop();
  }
}

/** The encoder. */
export const workload: Workload = {
  name: "encoder",
  title: "encoding 1 M rows in memory as a Parquet file",
  run,
};
