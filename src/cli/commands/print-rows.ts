// What `read` and `incremental` share: a scan planned from flags, its rows printed, what was read told.
import type { ColumnBatch } from "../../format/column-batch.ts";
import { sliceBatch } from "../../format/column-gather.ts";
import type { TableSchema } from "../../format/schema.ts";
import type { HudiTable } from "../../hudi-table.ts";
import { META_FIELDS } from "../../layout/record-key.ts";
import type { Predicate } from "../../read/predicate.ts";
import type { ColumnScan, Scan } from "../../read/scan.ts";
import type { RowFlags } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { ByteOutput } from "../output/byte-output.ts";
import { formatNoun } from "../output/display-text.ts";
import { JsonDocumentWriter } from "../output/json-rows.ts";
import { openRowWriter, type RowWriter, resolveRowFormat } from "../output/row-writer.ts";
import { remark } from "../print.ts";
import { startProgress } from "../progress.ts";
import { bindWhere } from "../where-binding.ts";
import type { WhereExpression } from "../where-text.ts";

/** What is read, in the terms of the library. */
export interface RowSelection {
  readonly columns: string[] | undefined;
  readonly where: Predicate | undefined;
  readonly signal: AbortSignal;
}

/** Resolves `--columns`, `--meta` and `--where`; the schema is loaded where they need it. */
export async function selectRows(
  flags: RowFlags,
  where: WhereExpression | undefined,
  signal: AbortSignal,
  loadSchema: () => Promise<TableSchema>,
): Promise<RowSelection> {
  const needsSchema = where !== undefined || (flags.meta && !flags.columns);
  const schema = needsSchema ? await loadSchema() : undefined;
  const named = flags.columns ?? schema?.fields.map((field) => field.name);
  const columns = flags.meta
    ? [...META_FIELDS, ...(named ?? []).filter((name) => !META_FIELDS.includes(name))]
    : flags.columns && [...flags.columns];
  const predicate = where && bindWhere(where, schema as TableSchema);
  return { columns, where: predicate, signal };
}

/** The schema that a read of the table as of some instant has. */
export async function loadSchemaAsOf(
  table: HudiTable,
  asOf: string | undefined,
  signal: AbortSignal,
): Promise<TableSchema> {
  if (asOf === undefined) return table.schema({ signal });
  return requireColumnScan(table.read({ asOf, signal })).schema;
}

/** The scan behind the public interface, with its columns. */
export function requireColumnScan(scan: Scan<unknown> | PrintableScan): PrintableScan {
  if ("columnBatches" in scan) return scan;
  throw new TypeError("this scan has no column batches");
}

/** How rows are printed. */
export interface PrintOptions {
  readonly flags: RowFlags;
  readonly io: LakeIo;
  readonly limit?: number | undefined;
  /** What the progress counts; default rows. */
  readonly noun?: string;
  /** Members of the JSON document beside the rows. */
  readonly describe: (upTo: string) => Record<string, unknown>;
}

/** What was printed. */
export interface PrintedRows {
  readonly rowCount: number;
  /** The last instant that the read includes; "" for a table without commits. */
  readonly upTo: string;
}

/** What a scan has to have to be printed. */
export type PrintableScan = Pick<ColumnScan<unknown>, "upTo" | "schema" | "columnBatches">;

/** Prints the rows of a scan as flags say. */
export async function printRows(
  scan: Scan<unknown> | PrintableScan,
  options: PrintOptions,
): Promise<PrintedRows> {
  const { flags, io, limit = Number.POSITIVE_INFINITY } = options;
  const planned = requireColumnScan(scan);
  const format = resolveRowFormat(flags.format, io.stdout);
  const upTo = await planned.upTo;
  const output = new ByteOutput(io.stdout, io.signal);
  const writer: RowWriter = flags.json
    ? new JsonDocumentWriter(output, async () => options.describe(upTo))
    : await openRowWriter(output, {
        format,
        schema: await planned.schema,
        codec: flags.codec,
        width: terminalWidth(io.stdout),
      });
  let rowCount = 0;
  // A table that appears on the terminal is progress enough.
  const progress = io.stdout.isTTY
    ? undefined
    : startProgress(io, () => `read ${formatNoun(rowCount, options.noun ?? "row")}`);
  try {
    for await (const batch of limitRows(planned.columnBatches(), limit)) {
      await writer.write(batch);
      rowCount += batch.rowCount;
    }
    await writer.close();
    await output.flush();
  } finally {
    progress?.stop();
  }
  if (writer.note) remark(io, `${writer.note}; --columns chooses`);
  return { rowCount, upTo };
}

async function* limitRows(
  batches: AsyncIterable<ColumnBatch>,
  limit: number,
): AsyncGenerator<ColumnBatch> {
  let left = limit;
  if (left === 0) return;
  for await (const batch of batches) {
    yield batch.rowCount > left ? sliceBatch(batch, 0, left) : batch;
    left -= batch.rowCount;
    if (left <= 0) return;
  }
}
