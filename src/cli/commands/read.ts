// `lake read`: the rows of a table, as of its newest commit or an earlier time.
import { type Command, Option } from "commander";
import {
  addCommonFlags,
  addRowFlags,
  parseCount,
  parseInstantFlag,
  type RowFlags,
} from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun } from "../output/display-text.ts";
import { resolveRowFormat } from "../output/row-writer.ts";
import { remark } from "../print.ts";
import { parseWhereText } from "../where-text.ts";

interface ReadFlags extends RowFlags {
  readonly asOf?: string;
  readonly mode: "snapshot" | "read-optimized";
  readonly limit?: number;
}

/** Declares the command. */
export function addReadCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("read")
    .summary("print rows")
    .description("Prints the rows of a table as of its newest commit, or as of an earlier time.")
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option("--as-of <time>", "an instant, a date or an ISO time", parseInstantFlag)
    .addOption(
      new Option("--mode <mode>", "all rows, or base files alone: as of the last compaction")
        .choices(["snapshot", "read-optimized"])
        .default("snapshot"),
    )
    .option("--limit <rows>", "stop after this many rows", parseCount);
  addCommonFlags(addRowFlags(command));
  command.addHelpText("after", HELP);
  command.action((table: string, flags: ReadFlags) => runRead(io, table, flags));
}

const HELP = `
A filter compares columns with literals by = != < <= > >=, in (…), like,
between and is null, joined by and, or, not and parentheses. Text stands in
single quotes, a column named like a keyword in double quotes; times are UTC.

Examples:
  lake read trips --columns id,fare --where "city = 'Oslo' and fare > 10"
  lake read s3://bucket/trips --as-of 2026-11-20 --format csv > trips.csv
  lake read trips --format jsonl | lake write copy --op bulk-insert`;

async function runRead(io: LakeIo, location: string, flags: ReadFlags): Promise<void> {
  const where = flags.where === undefined ? undefined : parseWhereText(flags.where);
  const format = resolveRowFormat(flags.format, io.stdout);
  const { signal } = io;
  const { loadSchemaAsOf, printRows, selectRows } = await import("./print-rows.ts");
  await useTable(location, flags, io, async (table) => {
    const { asOf, limit } = flags;
    const loadSchema = (): ReturnType<typeof loadSchemaAsOf> => loadSchemaAsOf(table, asOf, signal);
    const selection = await selectRows(flags, where, signal, loadSchema);
    const readOptimized = flags.mode === "read-optimized";
    const scan = table.read({ ...selection, asOf, readOptimized });
    const describe = (upTo: string): Record<string, unknown> => ({ asOf: upTo || null });
    const { rowCount, upTo } = await printRows(scan, { flags, io, limit, describe });
    if (flags.json || format !== "table") return;
    remark(
      io,
      `${formatNoun(rowCount, "row")}${upTo === "" ? ": the table has no commits" : ` as of ${upTo}`}`,
    );
  });
}
