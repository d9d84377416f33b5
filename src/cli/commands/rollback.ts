// `lake rollback`: undoes a pending write, or the newest completed commit.
import type { Command } from "commander";
import { isInstantTime } from "../../timeline/instant-time.ts";
import { addCommonFlags, type CommonFlags, propertyOption } from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { printResult } from "../print.ts";
import { UsageError } from "../usage-error.ts";

interface RollbackFlags extends CommonFlags {
  readonly dropMetadataTable?: true;
}

/** Declares the command. */
export function addRollbackCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("rollback")
    .summary("undo a commit")
    .description("Undoes a write that never completed, or the newest completed commit.")
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .argument("<instant>", "as lake timeline lists it")
    .option("--drop-metadata-table", "switch off a metadata table, which would become stale")
    .addOption(propertyOption());
  addCommonFlags(command);
  command.action((table: string, instant: string, flags: RollbackFlags) =>
    runRollback(io, table, instant, flags),
  );
}

async function runRollback(
  io: LakeIo,
  location: string,
  instant: string,
  flags: RollbackFlags,
): Promise<void> {
  if (!isInstantTime(instant)) {
    throw new UsageError(
      `cannot roll back ${JSON.stringify(instant)}: expected an instant of 17 digits as lake timeline lists it`,
    );
  }
  const metadataTable = flags.dropMetadataTable ? ("drop" as const) : undefined;
  await useTable(
    location,
    flags,
    io,
    async (table) => {
      await table.rollback(instant, { signal: io.signal });
      await printResult(io, flags.json, { rolledBack: instant }, `rolled back ${instant}\n`);
    },
    { metadataTable },
  );
}
