// `lake clean`: deletes file slices that are past retention, or shows which they are.
import { type Command, Option } from "commander";
import type { CleanReport } from "../../services/clean.ts";
import { addCommonFlags, type CommonFlags, parseCount, propertyOption } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun, formatSize } from "../output/display-text.ts";
import { formatTable, type TableColumn } from "../output/text-table.ts";
import { printResult } from "../print.ts";
import { startProgress } from "../progress.ts";

interface CleanFlags extends CommonFlags {
  readonly keepCommits?: number;
  readonly keepVersions?: number;
  readonly keepHours?: number;
  readonly dryRun?: true;
  readonly dropMetadataTable?: true;
}

/** Declares the command. */
export function addCleanCommand(lake: Command, io: LakeIo): void {
  const keep = (flag: string, description: string, others: readonly string[]): Option =>
    new Option(flag, description).argParser(parseCount).conflicts([...others]);
  const command = lake
    .command("clean")
    .summary("delete files of old states")
    .description(
      "Deletes the files that only states before the retained ones consist of, and finishes cleans that died.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .addOption(
      keep("--keep-commits <n>", "keep the states of the last n commits (default: 10)", [
        "keepVersions",
        "keepHours",
      ]),
    )
    .addOption(keep("--keep-versions <n>", "keep n versions of each file group", ["keepHours"]))
    .addOption(keep("--keep-hours <n>", "keep the states of the last n hours", []))
    .option("--dry-run", "show the plan and change nothing")
    .option("--drop-metadata-table", "switch off a metadata table, which would become stale")
    .addOption(propertyOption());
  addCommonFlags(command);
  command.action((table: string, flags: CleanFlags) => runClean(io, table, flags));
}

const COLUMNS: readonly TableColumn[] = [
  { name: "partition", align: "left", isCut: true },
  { name: "file", align: "left", isCut: true },
  { name: "size", align: "right" },
];

async function runClean(io: LakeIo, location: string, flags: CleanFlags): Promise<void> {
  const { keepCommits, keepVersions, keepHours, dryRun } = flags;
  const metadataTable = flags.dropMetadataTable ? ("drop" as const) : undefined;
  await useTable(
    location,
    flags,
    io,
    async (table) => {
      let line = "planning";
      const progress = startProgress(io, () => line);
      const onProgress = (deleted: number, planned: number): void => {
        line = `deleted ${deleted} of ${formatNoun(planned, "file")}`;
      };
      try {
        const { signal } = io;
        const options = { keepCommits, keepVersions, keepHours, dryRun, onProgress, signal };
        const report = await table.clean(options);
        progress.stop();
        const isPartitioned = table.config.partitionFields.length > 0;
        const text = formatReport(report, dryRun === true, isPartitioned, io);
        await printResult(io, flags.json, toDocument(report), text);
      } finally {
        progress.stop();
      }
    },
    { metadataTable },
  );
}

function toDocument(report: CleanReport): Record<string, unknown> {
  const { instant, policy, earliestRetained, files, finished } = report;
  return {
    instant: instant ?? null,
    policy,
    earliestRetained: earliestRetained ?? null,
    finished,
    files: files.map(({ partitionPath, path, sizeBytes }) => ({
      partition: partitionPath,
      path,
      sizeBytes,
    })),
  };
}

function formatReport(
  { instant, earliestRetained, files, finished }: CleanReport,
  isPlan: boolean,
  isPartitioned: boolean,
  io: LakeIo,
): string {
  const lines = finished.map((time) => `finished clean ${time}`);
  const from = earliestRetained ? `, states from ${earliestRetained} on are kept` : "";
  if (files.length === 0) return `${[...lines, `nothing to clean${from}`].join("\n")}\n`;
  const size = formatSize(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const sum = `${formatNoun(files.length, "file")}, ${size}${from}`;
  if (!isPlan) return `${[...lines, `clean ${instant}: deleted ${sum}`].join("\n")}\n`;
  const rows = files.map(({ partitionPath, path, sizeBytes }) => {
    const name = partitionPath === "" ? path : path.slice(partitionPath.length + 1);
    return [...(isPartitioned ? [partitionPath] : []), name, formatSize(sizeBytes)];
  });
  const columns = isPartitioned ? COLUMNS : COLUMNS.slice(1);
  return `${formatTable(columns, rows, terminalWidth(io.stdout))}\nwould delete ${sum}\n`;
}
