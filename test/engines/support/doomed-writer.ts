// A writer in a process of its own that dies at a chosen point of its write, as a crash would end it:
// node test/engines/support/doomed-writer.ts <path> <point>. `writeAndDie` starts it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";

import { HudiTable, type TableOptions } from "../../../src/index.ts";
import { openStorage, type StorageSettings } from "../../../src/storage/open-storage.ts";
import type { ObjectWriter, Storage } from "../../../src/storage/storage.ts";
import { makeEdgeRow } from "./edge-rows.ts";
import { collectEngineRows, toLakeRow } from "./lake-rows.ts";

/** Where the writer dies. Only in the last one its commit stands. */
export const DEATHS = [
  "after-requested",
  "after-inflight",
  "after-first-data-file",
  "before-completion",
  "after-completion",
] as const;
export type Death = (typeof DEATHS)[number];

/** A lease that others need not wait for long once its holder is dead. */
export const SHORT_LEASE = { leaseMs: 3_000, waitMs: 30_000, requestLimitMs: 1_000 } as const;

/** Note of every row that the doomed writer writes, and the partition that it alone writes to. */
export const DOOMED = "written by a writer that died";

/** Runs a doomed writer until it is dead. S3 settings reach it through `settings`. */
export async function writeAndDie(
  path: string,
  death: Death,
  settings: StorageSettings = {},
  operation: "upsert" | "insertOverwriteTable" = "upsert",
): Promise<void> {
  const args = [import.meta.filename, path, death, JSON.stringify(settings), operation];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (signal !== "SIGKILL") throw new Error(`the writer should have died but ended with ${code}`);
}

function die(): never {
  process.kill(process.pid, "SIGKILL");
  for (;;);
}

/** A storage that lets every call through and ends the process at the chosen one. */
function dieAt(storage: Storage, death: Death): Storage {
  const suffix = { "after-requested": "commit.requested", "after-inflight": ".inflight" }[
    death as string
  ];
  const overrides: Partial<Storage> = {
    async createIfAbsent(path, bytes, options) {
      if (death === "before-completion" && path.endsWith("commit")) die();
      const outcome = await storage.createIfAbsent(path, bytes, options);
      if (suffix !== undefined && path.endsWith(suffix)) die();
      if (death === "after-completion" && path.endsWith("commit")) die();
      return outcome;
    },
    createWriter(path, options): ObjectWriter {
      const writer = storage.createWriter(path, options);
      return {
        write: (bytes) => writer.write(bytes),
        abort: () => writer.abort(),
        async close() {
          const closed = await writer.close();
          if (death === "after-first-data-file") die();
          return closed;
        },
      };
    },
  };
  return new Proxy(storage, {
    get(target, name) {
      const value = Reflect.get(overrides, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    has: (target, name) => name in target,
  });
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const [, , path = "", death = "", settings = "{}", operation = "upsert"] = argv;
  const storage = dieAt(openStorage(path, JSON.parse(settings) as StorageSettings), death as Death);
  const options: TableOptions = { storage, write: { lease: SHORT_LEASE }, workers: { count: 0 } };
  const table = await HudiTable.open(path, options);
  const schema = await table.schema();
  const rows = await collectEngineRows(table.read());
  const changed = rows.map((row) => ({ ...row, at: 1_000_000n, note: DOOMED }));
  const added = makeEdgeRow(500, 1_000_000n, { note: DOOMED, region: "west" });
  const write = operation as "upsert" | "insertOverwriteTable";
  await table[write]([...changed, added].map((row) => toLakeRow(row, schema)));
}
