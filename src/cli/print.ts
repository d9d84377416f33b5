// Short results and remarks: text or one JSON document on standard output, remarks on standard error.

import type { LakeIo } from "./lake-io.ts";
import { ByteOutput } from "./output/byte-output.ts";

/** Prints a result: the document with `--json`, the text otherwise. */
export async function printResult(
  io: LakeIo,
  asJson: boolean | undefined,
  document: Record<string, unknown>,
  text: string,
): Promise<void> {
  const output = new ByteOutput(io.stdout, io.signal);
  await output.write(asJson ? `${JSON.stringify(document)}\n` : text);
  await output.flush();
}

/** Writes a line to standard error; a reader that is gone misses it. */
export function remark(io: LakeIo, line: string): void {
  if (!io.stderr.destroyed) io.stderr.write(`${line}\n`);
}
