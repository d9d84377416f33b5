// The grammar of the command: its commands in the order of the help, and what commander says of a
// wrong command line turned into our errors.
import { readFile } from "node:fs/promises";
import { Command, CommanderError } from "commander";
import { addArchiveCommand } from "./commands/archive.ts";
import { addChangesCommand } from "./commands/changes.ts";
import { addCleanCommand } from "./commands/clean.ts";
import { addClusterCommand } from "./commands/cluster.ts";
import { addCreateCommand } from "./commands/create.ts";
import { addDeletePartitionsCommand } from "./commands/delete-partitions.ts";
import { addEvolveCommand } from "./commands/evolve.ts";
import { addFilesCommand } from "./commands/files.ts";
import { addIncrementalCommand } from "./commands/incremental.ts";
import { addReadCommand } from "./commands/read.ts";
import { addRollbackCommand } from "./commands/rollback.ts";
import { addStatsCommand } from "./commands/stats.ts";
import { addTimelineCommand } from "./commands/timeline.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import { addWriteCommand } from "./commands/write.ts";
import { type LakeIo, terminalWidth } from "./lake-io.ts";
import { UsageError } from "./usage-error.ts";

const ADD_COMMANDS: readonly ((lake: Command, io: LakeIo) => void)[] = [
  addCreateCommand,
  addWriteCommand,
  addDeletePartitionsCommand,
  addEvolveCommand,
  addReadCommand,
  addIncrementalCommand,
  addChangesCommand,
  addTimelineCommand,
  addFilesCommand,
  addStatsCommand,
  addRollbackCommand,
  addClusterCommand,
  addVerifyCommand,
  addCleanCommand,
  addArchiveCommand,
];

const HELP = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 conflict (run it again),
4 unknown outcome of a commit (look at the timeline first), 130 interrupted.
lake help <command> tells more.`;

/**
 * Runs the command that the arguments name. Throws `UsageError` for a wrong command line, and
 * whatever the command throws.
 */
export async function runCommandLine(argv: readonly string[], io: LakeIo): Promise<void> {
  const lake = new Command("lake");
  const width = terminalWidth(io.stdout) ?? 80;
  lake
    .description("Writes and reads Apache Hudi tables, without a JVM.")
    .version(await loadVersion(), "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      // What commander says of an error comes with the error as well.
      writeErr: () => {},
      getOutHelpWidth: () => Math.min(width, 100),
    })
    .addHelpText("after", HELP);
  for (const addCommand of ADD_COMMANDS) addCommand(lake, io);
  if (argv.length === 0) throw new UsageError("found no command: lake --help lists them");
  try {
    await lake.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw usageError(error, argv, lake);
  }
}

function usageError(error: CommanderError, argv: readonly string[], lake: Command): UsageError {
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .trim();
  const command = lake.commands.find((known) => known.name() === argv[0]);
  const help = command ? `lake ${command.name()} --help` : "lake --help";
  return new UsageError(`${text.replace(/\.$/, "")}; ${help} shows what there is`, error);
}

async function loadVersion(): Promise<string> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
