// Sound tables on memory stores, and ways to spoil them: what the tests of `verify` plant.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { openBaseFile } from "../../src/file-group/base-file.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import { addMetaFields } from "../../src/layout/record-key.ts";
import type { TableDefinition } from "../../src/layout/table-definition.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import {
  type VerifyOptions,
  type VerifyReport,
  verifyTable,
} from "../../src/services/verify-table.ts";
import { MemoryStorage, type MemoryStorageOptions } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { loadTableConfig } from "../../src/timeline/table-properties.ts";
import { encodeBaseFile } from "../file-group/base-file-samples.ts";
import { createMemoryTable, START_MS } from "../support/memory-table.ts";

export type StoredRow = Record<string, unknown>;

const FIELDS = { id: "string", part: "string", value: "long" } as const;

/** Two partitions, two writes: an insert by upsert, and an update of one of them. */
export async function soundTable(
  index: TableDefinition["index"] = { kind: "bloom" },
): Promise<MemoryStore> {
  const { table, store, clock } = await createMemoryTable({
    fields: FIELDS,
    recordKey: "id",
    partitionBy: "part",
    index,
  });
  const row = (
    id: string,
    part: string,
    value: bigint,
  ): { id: string; part: string; value: bigint } => ({ id, part, value });
  await table.upsert([row("a", "p", 1n), row("b", "p", 2n), row("c", "q", 3n), row("d", "q", 4n)]);
  clock.advance(1_000);
  await table.upsert([row("a", "p", 10n), row("e", "p", 5n)]);
  return store;
}

/** A merge-on-read table of our own: updates and deletions in logs. */
export async function soundLogTable(): Promise<MemoryStore> {
  const { table, store, clock } = await createMemoryTable({
    type: "merge-on-read",
    fields: FIELDS,
    recordKey: "id",
    partitionBy: "part",
    orderingField: "value",
  } as never);
  const rows = ["a", "b", "c"].map((id, value) => ({ id, part: "p", value: BigInt(value) }));
  for (const write of [
    () => table.upsert(rows as never),
    () => table.upsert([{ id: "a", part: "p", value: 10n }] as never),
    () => table.delete([{ id: "b", part: "p" }] as never),
  ]) {
    clock.advance(1_000);
    await write();
  }
  return store;
}

/** The files of a table fixture on a memory store. */
export function fixtureTable(name: string): MemoryStore {
  const folder = join(import.meta.dirname, "../../fixtures/tables", name, "table.tar.gz");
  const archive = gunzipSync(readFileSync(folder));
  const store = new MemoryStore(new SimulatedClock(START_MS));
  const text = (from: number, length: number): string =>
    archive.toString("utf8", from, from + length).replace(/\0.*$/s, "");
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const prefix = text(at + 345, 155);
    const path = prefix === "" ? text(at, 100) : `${prefix}/${text(at, 100)}`;
    const size = Number.parseInt(text(at + 124, 12), 8);
    if (text(at + 156, 1) !== "5" && !path.endsWith(".crc")) {
      store.put(
        path.slice(name.length + 1),
        archive.subarray(at + 512, at + 512 + size),
        undefined,
      );
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return store;
}

/** Checks the table of a store. */
export async function verifyStore(
  store: MemoryStore,
  options: VerifyOptions = {},
  storageOptions: MemoryStorageOptions = {},
): Promise<VerifyReport> {
  const storage = new MemoryStorage(store, storageOptions);
  const runtime = { clock: new SimulatedClock(START_MS), random: seededRandom(1) };
  return verifyTable({ storage, config: await loadTableConfig(storage), runtime }, options);
}

/** The one path that matches, or the last of several. */
export function pathLike(store: MemoryStore, pattern: RegExp): string {
  const found = [...store.paths()].filter((path) => pattern.test(path)).sort();
  const last = found.at(-1);
  if (last === undefined) throw new Error(`no path is like ${pattern}`);
  return last;
}

export function bytesOf(store: MemoryStore, path: string): Buffer {
  const object = store.find(path);
  if (!object) throw new Error(`there is no ${path}`);
  return Buffer.from(object.bytes);
}

/** Replaces the content of a file. */
export function edit(
  store: MemoryStore,
  path: string,
  change: (bytes: Buffer) => Uint8Array,
): void {
  store.put(path, change(bytesOf(store, path)), undefined);
}

/** Replaces text in a file. */
export function editText(
  store: MemoryStore,
  path: string,
  from: string | RegExp,
  to: string,
): void {
  edit(store, path, (bytes) => {
    const text = bytes.toString("latin1");
    const changed = text.replace(from, to);
    if (changed === text) throw new Error(`${path} has no ${from}`);
    return Buffer.from(changed, "latin1");
  });
}

export function cut(store: MemoryStore, path: string, length = -20): void {
  edit(store, path, (bytes) => bytes.subarray(0, length < 0 ? bytes.length + length : length));
}

export function copyFile(store: MemoryStore, from: string, to: string): void {
  store.put(to, bytesOf(store, from), undefined);
}

/** What of a base file is replaced. */
export interface FileEdit {
  readonly rows?: (rows: StoredRow[]) => StoredRow[];
  readonly footer?: (footer: Map<string, string>) => void;
  /** Columns that are left out. */
  readonly without?: readonly string[];
  /** Whether the write stat is left as it was. */
  readonly keepsStat?: boolean;
}

/** Writes a base file again with other rows or another footer, and says so in its write stat. */
export async function editBaseFile(
  store: MemoryStore,
  path: string,
  { rows = (all) => all, footer = () => {}, without = [], keepsStat = false }: FileEdit,
): Promise<void> {
  const sizeBytes = bytesOf(store, path).length;
  const reader = await openBaseFile(new MemoryStorage(store), { path, sizeBytes });
  const all: StoredRow[] = [];
  const { schema } = reader;
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    for await (const batch of reader.readBatches(group, schema.fields, { batchRows: 100 })) {
      all.push(...(batchRows(batch) as Iterable<StoredRow>));
    }
  }
  const entries = new Map(reader.keyValues);
  footer(entries);
  const fields = addMetaFields({ name: "r", fields: [] }).fields.concat(
    schema.fields.filter(({ name }) => !name.startsWith("_hoodie")),
  );
  const kept = { name: "r", fields: fields.filter(({ name }) => !without.includes(name)) };
  const changed = rows(all).map((row) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !without.includes(name))),
  );
  const bytes = await encodeBaseFile(kept, changed, { withMeta: false, footer: entries });
  store.put(path, bytes, undefined);
  if (keepsStat) return;
  const instant = /_(\d{17})\.parquet$/.exec(path)?.[1];
  edit(store, `.hoodie/${instant}.commit`, (content) => {
    const commit = JSON.parse(content.toString("utf8"));
    for (const stat of Object.values(commit.partitionToWriteStats).flat() as StoredRow[]) {
      if (stat.path !== path) continue;
      stat.fileSizeInBytes = bytes.length;
      stat.numWrites = changed.length;
    }
    return Buffer.from(JSON.stringify(commit));
  });
}
