// Encodes rows that are in memory into a Parquet file, in a process of its own: with the encoder of
// this library or with parquet-wasm. Its arguments are which, and the library's entry.
import { open, readFile, writeFile } from "node:fs/promises";
import { type RecordBatch, tableFromIPC } from "apache-arrow";
import {
  Compression,
  Table as WasmTable,
  WriterPropertiesBuilder,
  writeParquet,
} from "parquet-wasm";
import type { ColumnBatch } from "../../src/format/column-batch.ts";
import { serveCalls } from "./child-program.ts";
import { FIELDS } from "./dataset.ts";
import { measure, type Sample } from "./measure.ts";

/** What a call of the program answers. */
export interface EncoderAnswer {
  readonly sample: Sample;
  readonly rowCount: number;
}

const [, , which = "ours", library = ""] = process.argv;
let ours: readonly ColumnBatch[] = [];
let stream: Uint8Array = new Uint8Array(0);
let rowCount = 0;

/** A module of the library that is no entry of the package. */
function importPart<T>(path: string): Promise<T> {
  const extension = library.endsWith(".ts") ? "ts" : "js";
  return import(new URL(`./${path}.${extension}`, library).href) as Promise<T>;
}

const format = {
  arrow: await importPart<typeof import("../../src/format/arrow-batch.ts")>("format/arrow-batch"),
  writer: await importPart<typeof import("../../src/format/open-parquet-writer.ts")>(
    "format/open-parquet-writer",
  ),
  schema: await importPart<typeof import("../../src/format/schema.ts")>("format/schema"),
  meta: await importPart<typeof import("../../src/layout/record-key.ts")>("layout/record-key"),
};

const schema = format.meta.addMetaFields(format.schema.createTableSchema("orders", FIELDS));

async function load(params: { path: string }): Promise<void> {
  stream = await readFile(params.path);
  const table = tableFromIPC(stream);
  rowCount = table.numRows;
  if (which !== "ours") return;
  // Batches as they come, read as columns of this library once.
  ours = table.batches.map((batch: RecordBatch) => format.arrow.fromArrowBatch(batch, schema));
}

async function encode(params: { path: string; codec: "snappy" | "zstd" }): Promise<EncoderAnswer> {
  const sample = which === "ours" ? await encodeOurs(params) : await encodeWithWasm(params);
  return { sample, rowCount };
}

async function encodeOurs({
  path,
  codec,
}: {
  path: string;
  codec: "snappy" | "zstd";
}): Promise<Sample> {
  const { sample } = await measure(async () => {
    const file = await open(path, "w");
    const writer = await format.writer.openParquetWriter(
      async (bytes) => {
        await file.write(bytes);
      },
      { schema, codec, rowGroupRows: 122_880 },
    );
    for (const batch of ours) await writer.write(batch);
    await writer.close(new Map());
    await file.close();
  });
  return sample;
}

async function encodeWithWasm({ path, codec }: { path: string; codec: string }): Promise<Sample> {
  // Writing uses the table up.
  const table = WasmTable.fromIPCStream(stream);
  const compression = codec === "zstd" ? Compression.ZSTD : Compression.SNAPPY;
  const properties = new WriterPropertiesBuilder()
    .setCompression(compression)
    .setMaxRowGroupSize(122_880)
    .build();
  const { sample } = await measure(async () => {
    await writeFile(path, writeParquet(table, properties));
  });
  return sample;
}

serveCalls({ load, encode });
