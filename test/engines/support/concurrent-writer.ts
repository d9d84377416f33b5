// One of several writers of a table, in a process of its own: a number of upserts, each with rows of
// its own and rows that every writer wants to insert. Its completions reach the store late, so that
// only a lease keeps another writer from completing in between. Run:
// node test/engines/support/concurrent-writer.ts <location> <name> <count> <storage settings>

import { argv } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import { HudiTable } from "../../../src/index.ts";
import { openStorage, type StorageSettings } from "../../../src/storage/open-storage.ts";
import type { Storage } from "../../../src/storage/storage.ts";

/** Rows of one upsert: `own` is nobody else's, `common` is what every writer writes. */
export interface ConcurrentRow {
  readonly id: string;
  readonly at: bigint;
  readonly writer: string;
}

const COMPLETION_DELAY_MS = 150;

function delayCompletions(storage: Storage): Storage {
  const createIfAbsent: Storage["createIfAbsent"] = async (path, bytes, options) => {
    if (path.endsWith(".commit")) await sleep(COMPLETION_DELAY_MS);
    return storage.createIfAbsent(path, bytes, options);
  };
  return new Proxy(storage, {
    get(target, name) {
      const value = name === "createIfAbsent" ? createIfAbsent : Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const [, , location = "", name = "", count = "0", settings = "{}"] = argv;
const storage = delayCompletions(openStorage(location, JSON.parse(settings) as StorageSettings));
const table = await HudiTable.open<ConcurrentRow>(location, { storage, workers: { count: 0 } });
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
