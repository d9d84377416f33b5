// One run of the command: arguments in, exit code out, every failure told on standard error.
import { runCommandLine } from "./command-line.ts";
import { EXIT, findExitCode, formatFailure } from "./failure.ts";
import type { LakeIo } from "./lake-io.ts";
import { OutputClosed } from "./output/byte-output.ts";

/** Runs the command with these arguments (without program and script); resolves to the exit code. */
export async function runLake(argv: readonly string[], io: LakeIo): Promise<number> {
  // Whoever stops listening to remarks does not end the work.
  io.stderr.on("error", () => {});
  try {
    await runCommandLine(argv, io);
    return EXIT.done;
  } catch (error) {
    // `lake read … | head` has all it wanted.
    if (error instanceof OutputClosed) return EXIT.done;
    const style = { json: hasFlag(argv, "--json"), verbose: hasFlag(argv, "--verbose") };
    if (!io.stderr.destroyed) io.stderr.write(formatFailure(error, io.signal, style));
    return findExitCode(error, io.signal);
  }
}

function hasFlag(argv: readonly string[], flag: string): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes(flag);
}
