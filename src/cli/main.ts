#!/usr/bin/env node
// The `lake` binary: streams and signals of the process around one run of the command.
import { systemRuntime } from "../runtime/runtime.ts";
import { EXIT } from "./failure.ts";
import { runLake } from "./run-lake.ts";

const stop = new AbortController();
const { signal } = stop;

/** The first signal ends the work in order, the second one at once. */
const interrupt = (): void => {
  if (signal.aborted) process.exit(EXIT.interrupted);
  stop.abort();
};
process.on("SIGINT", interrupt);
process.on("SIGTERM", interrupt);

const { stdin, stdout, stderr } = process;
const runtime = systemRuntime;
const code = await runLake(process.argv.slice(2), { stdin, stdout, stderr, signal, runtime });
// Output that a stalled reader has not taken would keep the process alive.
if (signal.aborted) process.exit(code);
process.exitCode = code;
