// `lake archive`: moves old instants to the archived timeline, or shows which they are.
import type { Command } from "commander";
import type { ArchiveReport } from "../../services/archive.ts";
import { addCommonFlags, type CommonFlags, parseCount, propertyOption } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun } from "../output/display-text.ts";
import { formatTable, type TableColumn } from "../output/text-table.ts";
import { printResult } from "../print.ts";
import { startProgress } from "../progress.ts";

interface ArchiveFlags extends CommonFlags {
  readonly minCommits?: number;
  readonly maxCommits?: number;
  readonly dryRun?: true;
  readonly dropMetadataTable?: true;
}

/** Declares the command. */
export function addArchiveCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("archive")
    .summary("shorten the timeline")
    .description(
      "Moves the oldest instants to the archived timeline; states before those that stay are not read any more.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option("--min-commits <n>", "commits that stay (default: 20)", parseCount)
    .option("--max-commits <n>", "archive once there are more (default: 30)", parseCount)
    .option("--dry-run", "show the plan and change nothing")
    .option("--drop-metadata-table", "switch off a metadata table, which would become stale")
    .addOption(propertyOption());
  addCommonFlags(command);
  command.action((table: string, flags: ArchiveFlags) => runArchive(io, table, flags));
}

const COLUMNS: readonly TableColumn[] = [
  { name: "instant", align: "left" },
  { name: "action", align: "left" },
];

async function runArchive(io: LakeIo, location: string, flags: ArchiveFlags): Promise<void> {
  const { minCommits, maxCommits, dryRun } = flags;
  const metadataTable = flags.dropMetadataTable ? ("drop" as const) : undefined;
  await useTable(
    location,
    flags,
    io,
    async (table) => {
      const progress = startProgress(io, () => "archiving");
      try {
        const { signal } = io;
        const report = await table.archive({ minCommits, maxCommits, dryRun, signal });
        progress.stop();
        const { instants, file, heldBy } = report;
        const document = {
          instants: instants.map(({ time, action }) => ({ time, action })),
          file: file ?? null,
          heldBy: heldBy ?? null,
        };
        await printResult(io, flags.json, document, formatReport(report, io));
      } finally {
        progress.stop();
      }
    },
    { metadataTable },
  );
}

function formatReport({ instants, file, heldBy }: ArchiveReport, io: LakeIo): string {
  const held = heldBy ? `; no more, because ${heldBy}` : "";
  if (instants.length === 0) return `nothing to archive${held}\n`;
  const sum = formatNoun(instants.length, "instant");
  if (file !== undefined) return `archived ${sum} in ${file}${held}\n`;
  const rows = instants.map(({ time, action }) => [time, action]);
  return `${formatTable(COLUMNS, rows, terminalWidth(io.stdout))}\nwould archive ${sum}${held}\n`;
}
