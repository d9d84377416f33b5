// `lake write`: one commit from a file or standard input.
import { type Command, Option } from "commander";
import type { ParquetCodec } from "../../format/parquet-writer.ts";
import type { HudiTable } from "../../hudi-table.ts";
import type { Storage } from "../../storage/storage.ts";
import type { Source } from "../../write/row-source.ts";
import type { Commit } from "../../write/write-operation.ts";
import {
  addCommonFlags,
  type CommonFlags,
  codecOption,
  inputFormatOption,
  propertyOption,
} from "../flags.ts";
import { type InputProgress, openInputSource } from "../input/input-source.ts";
import { type InputFormat, readInput, resolveInputFormat } from "../input/read-input.ts";
import { createRowShape } from "../input/row-shape.ts";
import type { LakeIo } from "../lake-io.ts";
import { storageSettings, useTable } from "../open-table.ts";
import { formatCount, formatNoun, formatSize } from "../output/display-text.ts";
import { printResult } from "../print.ts";
import { countDataFiles, type FileCounter, showsProgress, startProgress } from "../progress.ts";
import { UsageError } from "../usage-error.ts";

const OPERATIONS = [
  "upsert",
  "insert",
  "bulk-insert",
  "insert-overwrite",
  "insert-overwrite-table",
  "delete",
] as const;
type Operation = (typeof OPERATIONS)[number];

interface WriteFlags extends CommonFlags {
  readonly op: Operation;
  readonly partial?: true;
  readonly input: string;
  readonly format?: InputFormat;
  readonly codec: ParquetCodec;
  readonly dropMetadataTable?: true;
}

/** Declares the command. */
export function addWriteCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("write")
    .summary("write rows in one commit")
    .description(
      "Writes the rows of a file or of standard input in one commit: all of them or none.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .addOption(
      new Option("--op <operation>", "what becomes of the rows")
        .choices(OPERATIONS)
        .default("upsert"),
    )
    .option("--partial", "rows of an upsert may leave columns out, which keep their values")
    .option(
      "--input <file>",
      "a .jsonl, .csv, .parquet or .arrow file, or - for standard input",
      "-",
    )
    .addOption(inputFormatOption())
    .addOption(codecOption("compression of the data files"))
    .option("--drop-metadata-table", "switch off a metadata table, which would become stale")
    .addOption(propertyOption());
  addCommonFlags(command);
  command.addHelpText("after", HELP);
  command.action((table: string, flags: WriteFlags) => runWrite(io, table, flags));
}

const HELP = `
upsert replaces rows by key and adds new ones; insert and bulk-insert add rows
without looking keys up; insert-overwrite replaces the partitions that the rows
belong to, insert-overwrite-table everything; delete needs the key and partition
columns only. The five _hoodie_ columns of a read are left out; a row whose own
column _hoodie_is_deleted is true deletes its key.

In JSON lines integers have all their digits, decimals are texts such as
"12.50", dates yyyy-MM-dd, times such as 2024-01-31T12:00:00.123456Z. In CSV a
bare empty field is null, a quoted one the empty text.

Examples:
  lake write trips --input trips.csv
  lake read old --format jsonl | lake write trips --op bulk-insert
  lake read trips --where "fare < 0" | lake write trips --op delete`;

async function runWrite(io: LakeIo, location: string, flags: WriteFlags): Promise<void> {
  const { input, op, partial } = flags;
  if (partial && op !== "upsert") {
    throw new UsageError(`cannot use --partial with --op ${op}: only an upsert keeps values`);
  }
  if (input === "-" && io.stdin.isTTY) {
    throw new UsageError(
      "cannot read rows from a terminal: name a file with --input, or send rows through a pipe",
    );
  }
  const format = resolveInputFormat(input, flags.format);
  const source = await openInputSource(input, io);
  const counter: FileCounter = { files: 0, bytes: 0 };
  const { signal } = io;
  const settings = {
    write: { codec: flags.codec },
    metadataTable: flags.dropMetadataTable ? ("drop" as const) : undefined,
    storage: showsProgress(io) ? await openCountedStorage(io, location, flags, counter) : undefined,
  };
  try {
    await useTable(
      location,
      flags,
      io,
      async (table) => {
        const schema = await table.schema({ signal });
        const shape = createRowShape(schema, table.config, op === "delete" || partial === true);
        const rows = readInput(source, format, shape, signal);
        const progress = startProgress(io, () => describeProgress(source.progress, counter));
        let commit: Commit;
        try {
          commit = await WRITES[op](table, rows as Source<Record<string, unknown>>, {
            signal,
            partial,
          });
        } finally {
          progress.stop();
        }
        await printCommit(io, flags, commit, source.progress.rows);
      },
      settings,
    );
  } finally {
    await settings.storage?.close();
  }
}

type Write = (
  table: HudiTable,
  rows: Source<Record<string, unknown>>,
  options: { readonly signal: AbortSignal; readonly partial: boolean | undefined },
) => Promise<Commit>;

const WRITES: Record<Operation, Write> = {
  upsert: (table, rows, options) => table.upsert(rows, options),
  insert: (table, rows, { signal }) => table.insert(rows, { signal }),
  "bulk-insert": (table, rows, { signal }) => table.bulkInsert(rows, { signal }),
  "insert-overwrite": (table, rows, { signal }) => table.insertOverwrite(rows, { signal }),
  "insert-overwrite-table": (table, rows, { signal }) =>
    table.insertOverwriteTable(rows, { signal }),
  delete: (table, rows, { signal }) => table.delete(rows, { signal }),
};

async function openCountedStorage(
  io: LakeIo,
  location: string,
  flags: CommonFlags,
  counter: FileCounter,
): Promise<Storage> {
  const { openStorage } = await import("../../storage/open-storage.ts");
  const { runtime } = io;
  return countDataFiles(openStorage(location, { ...storageSettings(flags), runtime }), counter);
}

function describeProgress(read: InputProgress, written: FileCounter): string {
  const input = `read ${formatNoun(read.rows, "row")}, ${formatSize(read.bytes)}`;
  if (written.files === 0) return input;
  return `${input}; written ${formatNoun(written.files, "file")}, ${formatSize(written.bytes)}`;
}

async function printCommit(
  io: LakeIo,
  flags: WriteFlags,
  commit: Commit,
  rowsRead: number,
): Promise<void> {
  const { instant, action, inserted, updated, deleted } = commit;
  const counts = [
    `${formatCount(inserted)} inserted`,
    `${formatCount(updated)} updated`,
    `${formatCount(deleted)} deleted`,
  ];
  const document = { instant, action, operation: flags.op, rowsRead, inserted, updated, deleted };
  await printResult(io, flags.json, document, `${instant} ${action}: ${counts.join(", ")}\n`);
}
