// `lake incremental`: the rows that commits of a range wrote, and the instant to continue from.
import type { Command } from "commander";
import {
  addCommonFlags,
  addRowFlags,
  FIRST_INSTANT,
  parseInstantFlag,
  type RowFlags,
  resolveInstant,
} from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun } from "../output/display-text.ts";
import { resolveRowFormat } from "../output/row-writer.ts";
import { remark } from "../print.ts";
import { parseWhereText } from "../where-text.ts";

interface IncrementalFlags extends RowFlags {
  readonly after?: string;
  readonly upTo?: string;
}

/** Declares the command. */
export function addIncrementalCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("incremental")
    .summary("print rows that changed")
    .description(
      "Prints the rows that commits after an instant wrote, each in its newest version. The last line on standard error is the instant to continue from.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option(
      "--after <instant>",
      "where the last run ended; default: the beginning",
      parseInstantFlag,
    )
    .option(
      "--up-to <instant>",
      "the last commit to include; default: the newest safe one",
      parseInstantFlag,
    );
  addCommonFlags(addRowFlags(command));
  command.addHelpText("after", HELP);
  command.action((table: string, flags: IncrementalFlags) => runIncremental(io, table, flags));
}

const HELP = `
Examples:
  lake incremental trips --after 20261120072044123
  lake incremental trips --after "$(cat last)" > rows.jsonl 2> log &&
    tail -n 1 log > last`;

async function runIncremental(
  io: LakeIo,
  location: string,
  flags: IncrementalFlags,
): Promise<void> {
  const where = flags.where === undefined ? undefined : parseWhereText(flags.where);
  const format = resolveRowFormat(flags.format, io.stdout);
  const { signal } = io;
  const { printRows, selectRows } = await import("./print-rows.ts");
  await useTable(location, flags, io, async (table) => {
    const resolve = (text: string | undefined): string | undefined =>
      text === undefined ? undefined : resolveInstant(text, table.config.timelineZone);
    const after = resolve(flags.after);
    const selection = await selectRows(flags, where, signal, () => table.schema({ signal }));
    const scan = table.incremental({ ...selection, after, upTo: resolve(flags.upTo) });
    const describe = (upTo: string): Record<string, unknown> => ({
      after: after ?? null,
      upTo: upTo || FIRST_INSTANT,
    });
    const { rowCount, upTo } = await printRows(scan, { flags, io, describe });
    if (flags.json) return;
    if (format === "table") remark(io, `${formatNoun(rowCount, "row")} changed; continue after`);
    remark(io, upTo || FIRST_INSTANT);
  });
}
