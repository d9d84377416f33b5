// `lake delete-partitions`: removes every row of partitions in one commit.
import type { Command } from "commander";
import { addCommonFlags, type CommonFlags, propertyOption } from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { formatNoun } from "../output/display-text.ts";
import { printResult } from "../print.ts";

interface DeletePartitionsFlags extends CommonFlags {
  readonly dropMetadataTable?: true;
}

/** Declares the command. */
export function addDeletePartitionsCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("delete-partitions")
    .summary("remove partitions")
    .description("Removes every row of the named partitions in one commit.")
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .argument("<partitions...>", "paths below the table, such as city=Oslo")
    .option("--drop-metadata-table", "switch off a metadata table, which would become stale")
    .addOption(propertyOption());
  addCommonFlags(command);
  command.action((table: string, partitions: string[], flags: DeletePartitionsFlags) =>
    runDeletePartitions(io, table, partitions, flags),
  );
}

async function runDeletePartitions(
  io: LakeIo,
  location: string,
  partitions: readonly string[],
  flags: DeletePartitionsFlags,
): Promise<void> {
  const metadataTable = flags.dropMetadataTable ? ("drop" as const) : undefined;
  await useTable(
    location,
    flags,
    io,
    async (table) => {
      const { instant, action } = await table.deletePartitions(partitions, { signal: io.signal });
      const document = { instant, action, operation: "delete-partitions", partitions };
      const text = `${instant} ${action}: ${formatNoun(partitions.length, "partition")} deleted\n`;
      await printResult(io, flags.json, document, text);
    },
    { metadataTable },
  );
}
