// `lake stats`: what a table consists of, in numbers.
import type { Command } from "commander";
import type { TableConfig } from "../../layout/table-config.ts";
import type { PartitionStats, SizeBin, TableStats } from "../../read/table-stats.ts";
import { addCommonFlags, type CommonFlags, parseCount } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatCount, formatNoun, formatSize } from "../output/display-text.ts";
import { formatTable, type TableColumn } from "../output/text-table.ts";
import { printResult } from "../print.ts";

interface StatsFlags extends CommonFlags {
  readonly partitions: number;
}

/** Declares the command. */
export function addStatsCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("stats")
    .summary("count rows, bytes and file sizes")
    .description(
      "Counts rows, bytes and file groups of a table, and the sizes of its files. Rows are counted by the footers of the files.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option("--partitions <count>", "only this many of the largest partitions", parseCount, 20);
  addCommonFlags(command);
  command.action((table: string, flags: StatsFlags) => runStats(io, table, flags));
}

async function runStats(io: LakeIo, location: string, flags: StatsFlags): Promise<void> {
  await useTable(location, flags, io, async (table) => {
    const { signal } = io;
    const stats = await table.stats({ signal, partitionLimit: flags.partitions });
    const text = formatStats(stats, table.config, terminalWidth(io.stdout));
    await printResult(io, flags.json, describe(table.location, stats), text);
  });
}

/** The document: numbers as they are, null where JSON has no value. */
function describe(location: string, stats: TableStats): Record<string, unknown> {
  const { sizes, pending, oldestInstant, newestInstant, partitions, ...rest } = stats;
  return {
    table: location,
    ...rest,
    oldestInstant: oldestInstant ?? null,
    newestInstant: newestInstant ?? null,
    pending: pending.map(({ time, action, state }) => ({ instant: time, action, state })),
    sizes: sizes.map((bin) => ({
      ...bin,
      toBytes: Number.isFinite(bin.toBytes) ? bin.toBytes : null,
    })),
    partitions: partitions.map(({ partitionPath, ...numbers }) => ({
      partition: partitionPath,
      ...numbers,
    })),
  };
}

function formatStats(stats: TableStats, config: TableConfig, width: number | undefined): string {
  const isPartitioned = config.partitionFields.length > 0;
  const parts = [formatFacts(stats, isPartitioned), formatSizes(stats.sizes, width)];
  if (isPartitioned) parts.push(formatPartitions(stats, width));
  return parts.filter((part) => part !== "").join("\n");
}

/** Pending instants that are named. */
const MOST_PENDING = 5;

function formatFacts(stats: TableStats, isPartitioned: boolean): string {
  const { oldFiles, index, pending, oldestInstant, newestInstant } = stats;
  const groups = formatNoun(stats.fileGroups, "file group");
  const place = isPartitioned ? ` of ${formatNoun(stats.partitionCount, "partition")}` : "";
  const span = oldestInstant === undefined ? "" : `, ${oldestInstant} to ${newestInstant}`;
  const waiting = pending
    .slice(0, MOST_PENDING)
    .map(({ time, action, state }) => `${time} ${action} ${state}`);
  if (pending.length > MOST_PENDING) waiting.push(`${pending.length - MOST_PENDING} more`);
  const buckets = index.buckets === undefined ? "" : `, ${formatNoun(index.buckets, "bucket")}`;
  const facts: readonly (readonly [string, string])[] = [
    ["rows", formatCount(stats.rows)],
    ["size", `${formatSize(stats.bytes)} in ${groups}${place}`],
    ...(stats.logFiles === 0 ? [] : [["logs", formatLogs(stats)] as const]),
    ["average row", formatSize(Math.round(stats.averageRowBytes))],
    [
      "small files",
      `${formatCount(stats.smallFiles)} below ${formatSize(stats.smallFileBytes)}, target ${formatSize(stats.maxFileBytes)}`,
    ],
    ["old files", `${formatNoun(oldFiles.count, "file")}, ${formatSize(oldFiles.bytes)}`],
    ["commits", `${formatCount(stats.commits)}${span}`],
    ["pending", waiting.length === 0 ? "none" : waiting.join("; ")],
    ["index", `${index.kind}${buckets}`],
  ];
  return facts.map(([name, value]) => `${name.padEnd(13)}${value}\n`).join("");
}

/** What waits for a compaction. */
function formatLogs({ logFiles, logBytes, bytes }: TableStats): string {
  const share = bytes === 0 ? "" : `, ${Math.round((100 * logBytes) / bytes)} % of the base files`;
  return `${formatNoun(logFiles, "file")}, ${formatSize(logBytes)}${share}`;
}

const SIZE_COLUMNS: readonly TableColumn[] = [
  { name: "file size", align: "right" },
  { name: "file groups", align: "right" },
  { name: "", align: "left", isCut: true },
];
/** The longest bar of the histogram, in characters. */
const BAR_WIDTH = 40;

function formatSizes(sizes: readonly SizeBin[], width: number | undefined): string {
  if (sizes.length === 0) return "";
  const most = Math.max(...sizes.map(({ fileGroups }) => fileGroups));
  const rows = sizes.map(({ fromBytes, toBytes, fileGroups }) => [
    Number.isFinite(toBytes)
      ? `${formatSize(fromBytes)} – ${formatSize(toBytes)}`
      : `from ${formatSize(fromBytes)}`,
    formatCount(fileGroups),
    "█".repeat(Math.ceil((fileGroups / most) * BAR_WIDTH)),
  ]);
  return formatTable(SIZE_COLUMNS, rows, width);
}

const PARTITION_COLUMNS: readonly TableColumn[] = [
  { name: "partition", align: "left", isCut: true },
  { name: "rows", align: "right" },
  { name: "size", align: "right" },
  { name: "file groups", align: "right" },
  { name: "small", align: "right" },
];

function formatPartitions(stats: TableStats, width: number | undefined): string {
  if (stats.partitions.length === 0) return "";
  const rows = stats.partitions.map((partition: PartitionStats) => [
    partition.partitionPath,
    formatCount(partition.rows),
    formatSize(partition.bytes),
    formatCount(partition.fileGroups),
    formatCount(partition.smallFiles),
  ]);
  const left = stats.partitionCount - stats.partitions.length;
  const note = left === 0 ? "" : `and ${formatNoun(left, "smaller partition")}\n`;
  return `${formatTable(PARTITION_COLUMNS, rows, width)}${note}`;
}
