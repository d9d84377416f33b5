// The rows of one data block of a log, as batches of columns. Rules: spec/format/log-file.md LOG-7.
import { HudiError } from "../errors.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import { decodeAvroContent } from "../format/log-content.ts";
import { openParquetFile } from "../format/parquet-reader.ts";
import type { Field } from "../format/schema.ts";
import { BATCH_ROWS } from "./base-file.ts";
import type { LiveBlock } from "./log-scan.ts";

/**
 * Columns of every row of a block, in order; null where the block has no such column. Throws
 * `UNSUPPORTED` for blocks that this library does not read, and `CORRUPT` for damage, by file and byte.
 */
export async function* readLogRows(
  { file, block }: LiveBlock,
  fields: readonly Field[],
  signal?: AbortSignal,
): AsyncGenerator<ColumnBatch> {
  const place = `${file.path}, block at byte ${block.offset}`;
  const refuse = (found: string): never => {
    throw new HudiError("UNSUPPORTED", `cannot read ${place}: found ${found}`, { path: file.path });
  };
  if (block.header.get("is-partial") === "true") {
    refuse("rows that hold some columns only; compact the table with the engine that wrote them");
  }
  const content = await block.readContent(signal);
  switch (block.type) {
    case "avro": {
      const schemaText = block.header.get("schema");
      if (schemaText === undefined) {
        throw new HudiError("CORRUPT", `cannot read ${place}: its header has no schema`, {
          path: file.path,
        });
      }
      const schema = { name: "rows", fields };
      yield* decodeAvroContent({ content, schemaText, path: place }, schema, fields, BATCH_ROWS);
      return;
    }
    case "parquet": {
      const reader = await openParquetFile(
        {
          path: place,
          sizeBytes: content.length,
          readRange: async (start, end) => content.slice(start, end),
        },
        { signal, wholeFileBytes: 0 },
      );
      for (let group = 0; group < reader.rowGroups.length; group += 1) {
        yield* reader.readBatches(group, fields, { signal, batchRows: BATCH_ROWS });
      }
      return;
    }
    default:
      refuse(`a block of kind ${block.type}, expected Avro or Parquet`);
  }
}
