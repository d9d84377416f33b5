// `lake cluster`: puts small files together, in one go or as two steps.
import { type Command, Option } from "commander";
import type { Clustering } from "../../services/clustering.ts";
import {
  addCommonFlags,
  type CommonFlags,
  parseCount,
  parseNames,
  propertyOption,
} from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun, formatSize } from "../output/display-text.ts";
import { printResult } from "../print.ts";
import { startProgress } from "../progress.ts";

interface ClusterFlags extends CommonFlags {
  readonly sortBy?: readonly string[];
  readonly smallFileBytes?: number;
  readonly targetFileBytes?: number;
  readonly partitions?: readonly string[];
  readonly dryRun?: true;
  readonly schedule?: true;
  readonly execute?: string | true;
}

/** Declares the command. */
export function addClusterCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("cluster")
    .summary("put small files together, sorted")
    .description(
      "Writes small files of a partition into one, sorted by columns if asked for. No row changes. Without --schedule or --execute both steps are taken.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option("--sort-by <columns>", "sort the rows of each new file: a,b", parseNames)
    .option("--small-file-bytes <count>", "put files below this size together", parseCount)
    .option("--target-file-bytes <count>", "size that new files come near to", parseCount)
    .option("--partitions <path...>", "only these partitions")
    .addOption(new Option("--dry-run", "show the plan and change nothing"))
    .addOption(new Option("--schedule", "put the plan on the timeline only").conflicts("execute"))
    .addOption(
      new Option("--execute [instant]", "carry a plan out: this one, or the oldest that waits"),
    )
    .addOption(propertyOption());
  addCommonFlags(command);
  command.action((table: string, flags: ClusterFlags) => runCluster(io, table, flags));
}

async function runCluster(io: LakeIo, location: string, flags: ClusterFlags): Promise<void> {
  const { sortBy, smallFileBytes, targetFileBytes, partitions, dryRun, execute } = flags;
  const only = flags.schedule ? "schedule" : execute === undefined ? undefined : "execute";
  const instant = typeof execute === "string" ? execute : undefined;
  const sizes = { smallFileBytes, targetFileBytes };
  const progress = startProgress(io, () => "clustering ");
  let done: Clustering;
  try {
    done = await useTable(location, flags, io, (table) =>
      table.cluster({ ...sizes, sortBy, partitions, dryRun, only, instant, signal: io.signal }),
    );
  } finally {
    progress.stop();
  }
  const document = { table: location, ...done, instant: done.instant ?? null };
  await printResult(io, flags.json, document, formatClustering(done));
}

function formatClustering({ state, instant, groups, rows, files, bytes }: Clustering): string {
  if (state === "nothing") return "nothing to cluster\n";
  const lines = groups.map(({ partitionPath, fileIds }) => {
    return `${partitionPath === "" ? "table" : partitionPath}: ${formatNoun(fileIds.length, "file")} into one\n`;
  });
  const result =
    state === "completed"
      ? `clustered ${formatNoun(rows, "row")} into ${formatNoun(files, "file")} of ${formatSize(bytes)}`
      : state;
  return `${lines.join("")}${result}${instant === undefined ? "" : ` at ${instant}`}\n`;
}
