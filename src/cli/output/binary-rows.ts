// Rows as a Parquet file or an Arrow IPC stream, through the library's own encoders.
import type { ColumnBatch } from "../../format/column-batch.ts";
import { openParquetWriter } from "../../format/open-parquet-writer.ts";
import { type ArrowStreamEncoder, createArrowStreamEncoder } from "../arrow-stream.ts";
import type { ByteOutput } from "./byte-output.ts";
import type { RowWriter, RowWriterOptions } from "./row-writer.ts";

/** Rows that wait for their row group are held in memory. */
const ROW_GROUP_ROWS = 128 * 1024;

/** A Parquet file: its footer comes last. */
export async function openParquetRowWriter(
  output: ByteOutput,
  options: RowWriterOptions,
): Promise<RowWriter> {
  const { schema, codec } = options;
  const writer = await openParquetWriter((bytes) => output.write(bytes), {
    schema,
    codec,
    rowGroupRows: ROW_GROUP_ROWS,
  });
  return {
    write: (batch) => writer.write({ ...batch, schema }),
    async close() {
      await writer.close(new Map());
    },
  };
}

/** An Arrow IPC stream. */
export async function openArrowWriter(
  output: ByteOutput,
  options: RowWriterOptions,
): Promise<RowWriter> {
  const encoder = await createArrowStreamEncoder(options.schema);
  return new ArrowRowWriter(output, encoder);
}

class ArrowRowWriter implements RowWriter {
  readonly #output: ByteOutput;
  readonly #encoder: ArrowStreamEncoder;

  constructor(output: ByteOutput, encoder: ArrowStreamEncoder) {
    this.#output = output;
    this.#encoder = encoder;
  }

  async write(batch: ColumnBatch): Promise<void> {
    await this.#writeAll(await this.#encoder.encode(batch));
  }

  async close(): Promise<void> {
    await this.#writeAll(await this.#encoder.finish());
  }

  async #writeAll(chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) await this.#output.write(chunk);
  }
}
