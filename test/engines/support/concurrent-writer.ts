// One of several writers of a table, in a process of its own: a number of upserts, each with rows of
// its own and rows that every writer wants to insert. Run:
// node test/engines/support/concurrent-writer.ts <location> <name> <count> <storage settings>

import { argv } from "node:process";

import { HudiTable } from "../../../src/index.ts";
import type { StorageSettings } from "../../../src/storage/open-storage.ts";

/** Rows of one upsert: `own` is nobody else's, `common` is what every writer writes. */
export interface ConcurrentRow {
  readonly id: string;
  readonly at: bigint;
  readonly writer: string;
}

const [, , location = "", name = "", count = "0", settings = "{}"] = argv;
const table = await HudiTable.open<ConcurrentRow>(location, {
  storage: JSON.parse(settings) as StorageSettings,
  workers: { count: 0 },
});
const instants: string[] = [];
for (let step = 0; step < Number(count); step += 1) {
  const at = BigInt(step);
  const { instant } = await table.upsert([
    { id: `own ${name} ${step}`, at, writer: name },
    { id: `common ${step}`, at, writer: name },
    { id: "always", at, writer: name },
  ]);
  instants.push(instant);
}
await table[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify(instants));
