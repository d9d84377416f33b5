// `lake timeline`: the instants of a table, and what its commits did.
import type { Command } from "commander";
import { isHudiError } from "../../errors.ts";
import type { HudiTable } from "../../hudi-table.ts";
import { mapConcurrently } from "../../runtime/concurrency.ts";
import type { CommitMetadata } from "../../timeline/commit-metadata.ts";
import type { Instant } from "../../timeline/instant.ts";
import { isWriteAction } from "../../timeline/instant.ts";
import { addCommonFlags, type CommonFlags, parseCount } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatCount, formatNoun, formatSize } from "../output/display-text.ts";
import { formatTable, type TableColumn } from "../output/text-table.ts";
import { printResult, remark } from "../print.ts";

interface TimelineFlags extends CommonFlags {
  readonly limit?: number;
}

/** Declares the command. */
export function addTimelineCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("timeline")
    .summary("list instants")
    .description(
      "Lists the instants of the active timeline, oldest first, and what each commit did.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option("--limit <instants>", "only this many of the newest", parseCount);
  addCommonFlags(command);
  command.action((table: string, flags: TimelineFlags) => runTimeline(io, table, flags));
}

/** What a commit did, summed over its files. */
interface CommitSums {
  readonly operation: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly files: number;
  readonly bytesWritten: number;
}

interface TimelineEntry {
  readonly instant: Instant;
  readonly sums: CommitSums | undefined;
}

async function runTimeline(io: LakeIo, location: string, flags: TimelineFlags): Promise<void> {
  const { signal } = io;
  await useTable(location, flags, io, async (table) => {
    const all = await table.timeline({ signal });
    const shown =
      flags.limit === undefined ? all : all.slice(Math.max(0, all.length - flags.limit));
    const entries = await mapConcurrently(
      shown,
      16,
      (instant) => loadEntry(io, table, instant),
      signal,
    );
    const document = {
      table: table.location,
      instants: entries.map(({ instant, sums }) => ({
        instant: instant.time,
        action: instant.action,
        state: instant.state,
        completionTime: instant.completionTime,
        ...sums,
      })),
    };
    const text = formatTimeline(entries, all, terminalWidth(io.stdout));
    await printResult(io, flags.json, document, text);
  });
}

/** A commit that cannot be read does not hide the others. */
async function loadEntry(io: LakeIo, table: HudiTable, instant: Instant): Promise<TimelineEntry> {
  if (instant.state !== "completed" || !isWriteAction(instant.action)) {
    return { instant, sums: undefined };
  }
  try {
    const metadata = await table.commitMetadata(instant, { signal: io.signal });
    return { instant, sums: sumUp(metadata) };
  } catch (error) {
    if (!isHudiError(error, "CORRUPT") && !isHudiError(error, "NOT_FOUND")) throw error;
    remark(io, `lake: warning: ${error.message}`);
    return { instant, sums: undefined };
  }
}

function sumUp(metadata: CommitMetadata): CommitSums {
  const stats = [...metadata.partitionToWriteStats.values()].flat();
  const sum = (count: (stat: (typeof stats)[number]) => number): number =>
    stats.reduce((total, stat) => total + count(stat), 0);
  return {
    operation: metadata.operationType.toLowerCase().replaceAll("_", "-"),
    inserted: sum((stat) => stat.numInserts),
    updated: sum((stat) => stat.numUpdateWrites),
    deleted: sum((stat) => stat.numDeletes),
    files: stats.length,
    bytesWritten: sum((stat) => stat.totalWriteBytes),
  };
}

const COLUMNS: readonly TableColumn[] = [
  { name: "instant", align: "left" },
  { name: "action", align: "left", isCut: true },
  { name: "state", align: "left" },
  { name: "op", align: "left", isCut: true },
  { name: "added", align: "right" },
  { name: "updated", align: "right" },
  { name: "deleted", align: "right" },
  { name: "size", align: "right" },
];

function formatTimeline(
  entries: readonly TimelineEntry[],
  all: readonly Instant[],
  width: number | undefined,
): string {
  const rows = entries.map(({ instant, sums }) => [
    instant.time,
    instant.action,
    instant.state,
    ...(sums
      ? [
          sums.operation,
          formatCount(sums.inserted),
          formatCount(sums.updated),
          formatCount(sums.deleted),
          formatSize(sums.bytesWritten),
        ]
      : []),
  ]);
  if (all.length === 0) return "no instants: the table has no commits yet\n";
  return `${formatTable(COLUMNS, rows, width)}\n${summarize(entries.length, all)}\n`;
}

function summarize(shownCount: number, all: readonly Instant[]): string {
  const isDone = (instant: Instant): boolean => instant.state === "completed";
  const commits = all.filter((instant) => isDone(instant) && isWriteAction(instant.action));
  const pending = all.filter((instant) => !isDone(instant)).length;
  const parts = [formatNoun(all.length, "instant")];
  if (shownCount < all.length) parts.push(`the newest ${formatCount(shownCount)} shown`);
  parts.push(formatNoun(commits.length, "completed commit"), `${formatCount(pending)} pending`);
  return parts.join(", ");
}
