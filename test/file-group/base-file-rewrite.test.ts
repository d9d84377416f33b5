// One base file under other columns: rows, meta columns and the index of its keys, whatever wrote it.
import { expect, test } from "vitest";
import { findBloomFilter, findKeyRange, openBaseFile } from "../../src/file-group/base-file.ts";
import { rewriteBaseFile } from "../../src/file-group/base-file-rewrite.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import { addMetaFields } from "../../src/layout/record-key.ts";
import { NO_COLUMN } from "../../src/layout/schema-change.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { encodeBaseFile, SETTINGS } from "./base-file-samples.ts";

const OLD = createTableSchema("t", { id: "string", n: "int?", s: "struct<a:float?,b:int?>?" });
const NEW = createTableSchema("t", {
  extra: "string?",
  amount: "decimal(12,2)?",
  s: "struct<c:int?,a:double?>?",
  id: "string",
});

/** The columns of the new schema as the old file names them. */
const SOURCE: readonly Field[] = NEW.fields.map((field) => {
  if (field.name === "extra") return { ...field, name: NO_COLUMN };
  if (field.name === "amount") return { ...field, name: "n" };
  const { type } = field;
  if (type.kind !== "struct") return field;
  const fields = type.fields.map((one) => (one.name === "c" ? { ...one, name: "b" } : one));
  return { ...field, type: { kind: "struct", fields } };
});

test("a file of many row groups and no index is rewritten with both (EV-7, BASE-2)", async () => {
  const storage = new MemoryStorage();
  const rows = Array.from({ length: 25 }, (_, row) => ({
    id: `key ${row}`,
    n: row % 4 === 0 ? null : row,
    s: row % 5 === 0 ? null : { a: row / 10, b: row },
  })).map(({ s, ...row }) => ({ ...row, s: s && { ...s, a: Math.fround(s.a) } }));
  const bytes = await encodeBaseFile(OLD, rows, { groupRows: 7, instant: "20250101000000000" });
  await storage.put("old.parquet", bytes);
  const written = await rewriteBaseFile(storage, {
    kind: "rewrite",
    instant: "20260101000000001",
    partitionPath: "p",
    writeToken: "0-0-0",
    taskNumber: 0,
    settings: SETTINGS,
    fileId: "f-0",
    base: { path: "old.parquet", sizeBytes: bytes.length },
    baseInstant: "20250101000000000",
    schema: NEW,
    source: SOURCE,
  });
  expect(written).toMatchObject({
    path: "p/f-0_0-0-0_20260101000000001.parquet",
    previousInstant: "20250101000000000",
    rowCount: 25,
    insertCount: 0,
    updateCount: 0,
    deleteCount: 0,
  });
  const file = await openBaseFile(storage, written);
  const { fields } = addMetaFields(NEW);
  const seen: unknown[] = [];
  for (let group = 0; group < file.rowGroups.length; group += 1) {
    for await (const batch of file.readBatches(group, fields, { batchRows: 100 })) {
      seen.push(...batchRows(batch));
    }
  }
  expect(seen).toEqual(
    rows.map(({ id, n, s }, row) => ({
      _hoodie_commit_time: "20250101000000000",
      _hoodie_commit_seqno: `20250101000000000_0_${row}`,
      _hoodie_record_key: id,
      _hoodie_partition_path: "",
      _hoodie_file_name: "f-0_0-0-0_20260101000000001.parquet",
      ...{ extra: null, amount: n === null ? null : `${n}.00` },
      s: s && { c: s.b, a: row / 10 },
      id,
    })),
  );
  const range = findKeyRange(file);
  expect([range?.min, range?.max].map((key) => String(Buffer.from(key ?? [])))).toEqual([
    "key 0",
    "key 9",
  ]);
  const filter = findBloomFilter(file, written.path);
  const mayHold = (key: string): boolean | undefined =>
    filter?.mayContain(Buffer.from(key), 0, key.length);
  expect(rows.every(({ id }) => mayHold(id))).toBe(true);
  expect(["no", "key", "key 25"].every((key) => mayHold(key))).toBe(false);
});
