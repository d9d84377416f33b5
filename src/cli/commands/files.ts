// `lake files`: the latest file slice of each file group.
import type { Command } from "commander";
import { type FileSlice, sliceBytes } from "../../file-group/file-slice.ts";
import { addCommonFlags, type CommonFlags } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun, formatSize } from "../output/display-text.ts";
import { formatTable, type TableColumn } from "../output/text-table.ts";
import { printResult } from "../print.ts";

/** Declares the command. */
export function addFilesCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("files")
    .summary("list file groups")
    .description("Lists the file groups of a table, each with its newest file.")
    .argument("<table>", "a path, file:// or s3://bucket/prefix");
  addCommonFlags(command);
  command.action((table: string, flags: CommonFlags) => runFiles(io, table, flags));
}

const COLUMNS: readonly TableColumn[] = [
  { name: "partition", align: "left", isCut: true },
  { name: "file group", align: "left", isCut: true },
  { name: "instant", align: "left" },
  { name: "size", align: "right" },
];

/** Of tables whose slices have logs. */
const LOG_COLUMNS: readonly TableColumn[] = [
  { name: "logs", align: "right" },
  { name: "log size", align: "right" },
];

async function runFiles(io: LakeIo, location: string, flags: CommonFlags): Promise<void> {
  await useTable(location, flags, io, async (table) => {
    const slices = [...(await table.files({ signal: io.signal }))].sort(compareSlices);
    const partitions = new Set(slices.map((slice) => slice.partitionPath)).size;
    const sizeBytes = slices.reduce((sum, slice) => sum + sliceBytes(slice), 0);
    const document = {
      table: table.location,
      files: slices.map(({ partitionPath, fileId, baseInstant, baseFile, logFiles }) => ({
        partition: partitionPath,
        fileId,
        instant: baseInstant,
        ...(baseFile && { sizeBytes: baseFile.sizeBytes, path: baseFile.path }),
        ...(logFiles.length > 0 && {
          logs: logFiles.map(({ path, sizeBytes: bytes }) => ({ path, sizeBytes: bytes })),
        }),
      })),
      partitions,
      sizeBytes,
    };
    const parts = [formatNoun(slices.length, "file group"), formatSize(sizeBytes)];
    if (table.config.partitionFields.length > 0) {
      parts.splice(1, 0, formatNoun(partitions, "partition"));
    }
    const text = `${formatSlices(slices, table.config.partitionFields, io)}${parts.join(", ")}\n`;
    await printResult(io, flags.json, document, text);
  });
}

function formatSlices(
  slices: readonly FileSlice[],
  partitionFields: readonly string[],
  io: LakeIo,
): string {
  if (slices.length === 0) return "";
  const first = partitionFields.length === 0 ? 1 : 0;
  const hasLogs = slices.some(({ logFiles }) => logFiles.length > 0);
  const columns = [...COLUMNS.slice(first), ...(hasLogs ? LOG_COLUMNS : [])];
  const rows = slices.map(({ partitionPath, fileId, baseInstant, baseFile, logFiles }) => {
    const logBytes = logFiles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const base = [partitionPath, fileId, baseInstant, formatSize(baseFile?.sizeBytes ?? 0)];
    const logs = hasLogs ? [String(logFiles.length), formatSize(logBytes)] : [];
    return [...base.slice(first), ...logs];
  });
  return `${formatTable(columns, rows, terminalWidth(io.stdout))}\n`;
}

function compareSlices(a: FileSlice, b: FileSlice): number {
  return compareText(a.partitionPath, b.partitionPath) || compareText(a.fileId, b.fileId);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
