// `lake changes`: what each commit of a range did to each key, and the instant to continue from.
import { type Command, Option } from "commander";
import {
  addCommonFlags,
  type CommonFlags,
  FIRST_INSTANT,
  parseInstantFlag,
  resolveInstant,
} from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun } from "../output/display-text.ts";
import { type RowFormat, resolveRowFormat } from "../output/row-writer.ts";
import { remark } from "../print.ts";

interface ChangesFlags extends CommonFlags {
  readonly after: string;
  readonly upTo?: string;
  readonly format?: RowFormat;
}

/** Declares the command. */
export function addChangesCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("changes")
    .summary("print every change of every key")
    .description(
      "Prints what commits after an instant did to each key, commit by commit, with the row before and after. The last line on standard error is the instant to continue from.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .requiredOption(
      "--after <instant>",
      `where the last run ended; ${FIRST_INSTANT} is the beginning`,
      parseInstantFlag,
    )
    .option(
      "--up-to <instant>",
      "the last commit to include; default: the newest safe one",
      parseInstantFlag,
    )
    .addOption(
      new Option("--format <format>", "default: table on a terminal, jsonl elsewhere").choices([
        "jsonl",
        "table",
      ]),
    );
  addCommonFlags(command);
  command.addHelpText("after", HELP);
  command.action((table: string, flags: ChangesFlags) => runChanges(io, table, flags));
}

const HELP = `
Examples:
  lake changes trips --after 20261120072044123
  lake changes trips --after "$(cat last)" > changes.jsonl 2> log &&
    tail -n 1 log > last`;

async function runChanges(io: LakeIo, location: string, flags: ChangesFlags): Promise<void> {
  const format = resolveRowFormat(flags.format, io.stdout);
  const { signal } = io;
  const { printRows, requireColumnScan } = await import("./print-rows.ts");
  const { flattenChanges } = await import("../output/flat-changes.ts");
  await useTable(location, flags, io, async (table) => {
    const resolve = (text: string): string => resolveInstant(text, table.config.timelineZone);
    const after = resolve(flags.after);
    const upTo = flags.upTo === undefined ? undefined : resolve(flags.upTo);
    const changes = requireColumnScan(table.changes({ after, upTo, signal }));
    const isTable = format === "table" && !flags.json;
    const printed = await printRows(isTable ? flattenChanges(changes) : changes, {
      flags: { ...flags, codec: "uncompressed" },
      io,
      noun: "change",
      describe: (end) => ({ after, upTo: end || FIRST_INSTANT }),
    });
    if (flags.json) return;
    if (isTable) remark(io, `${formatNoun(printed.rowCount, "line")} of changes; continue after`);
    remark(io, printed.upTo || FIRST_INSTANT);
  });
}
