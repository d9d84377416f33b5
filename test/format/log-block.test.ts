// Blocks of log files: what is written is read back and is what avsc reads, damage is passed over or
// refused, and nothing else comes out of it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HudiError } from "../../src/errors.ts";
import { AvroReader, AvroWriter } from "../../src/format/avro-binary.ts";
import { parseAvroCodec } from "../../src/format/avro-codec.ts";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import type { ColumnBatch } from "../../src/format/column-batch.ts";
import { concatBatches } from "../../src/format/column-concat.ts";
import type { FileSource } from "../../src/format/file-source.ts";
import { encodeLogBlock, type NewLogBlock, rollbackCommand } from "../../src/format/log-block.ts";
import { type LogBlock, readLogBlocks } from "../../src/format/log-block-reader.ts";
import { decodeAvroContent, encodeAvroContent } from "../../src/format/log-content.ts";
import { decodeDeletes, encodeDeletes } from "../../src/format/log-deletes.ts";
import { createTableSchema, type Field, type TableSchema } from "../../src/format/schema.ts";
import { ALL_SCHEMA, columnOf, someOrNull, valuesIn } from "./column-samples.ts";

function sourceOf(bytes: Uint8Array, reads: [number, number][] = []): FileSource {
  return {
    path: "p/.f-0_1.log.1_0-0-0",
    sizeBytes: bytes.length,
    readRange: async (start, end) => {
      reads.push([start, end]);
      return bytes.slice(start, end);
    },
  };
}

function fileOf(blocks: readonly NewLogBlock[]): Uint8Array {
  return new Uint8Array(Buffer.concat(blocks.flatMap(encodeLogBlock)));
}

async function collect(source: FileSource): Promise<LogBlock[]> {
  const found: LogBlock[] = [];
  for await (const block of readLogBlocks(source)) found.push(block);
  return found;
}

const data = (content: string, instant = "20260101000000000"): NewLogBlock => ({
  type: "avro",
  header: new Map([
    ["instant", instant],
    ["schema", '{"type":"record"}'],
  ]),
  content: [new Uint8Array(Buffer.from(content))],
});

describe("the frame", () => {
  test("a rollback takes the 105 bytes that it takes in a table of Spark (LOG-1, LOG-3)", () => {
    const bytes = fileOf([rollbackCommand("20250126040826878", "20250126040823628")]);
    expect(bytes.length).toBe(105);
    expect(Buffer.from(bytes.subarray(0, 26)).toString("hex")).toBe(
      "2348554449230000000000000" + "05b000000010000000000000003",
    );
    expect(Buffer.from(bytes.subarray(-12)).toString("hex")).toBe("000000000000000000000061");
  });

  test("blocks come back in order, with their contents (LOG-1)", async () => {
    const written = [
      data("first"),
      rollbackCommand("3", "2"),
      { ...data("xyz"), type: "delete" as const },
    ];
    const blocks = await collect(sourceOf(fileOf(written)));
    expect(blocks.map(({ type }) => type)).toEqual(["avro", "command", "delete"]);
    expect(blocks.map(({ header }) => header)).toEqual(written.map(({ header }) => header));
    const contents = await Promise.all(blocks.map((block) => block.readContent()));
    expect(contents.map((bytes) => Buffer.from(bytes).toString())).toEqual(["first", "", "xyz"]);
  });

  test("contents of a large file are fetched when they are asked for (LOG-4)", async () => {
    const large = { ...data(""), content: [new Uint8Array(9 * 1024 * 1024).fill(7)] };
    const reads: [number, number][] = [];
    const blocks = await collect(sourceOf(fileOf([large, data("small")]), reads));
    const sum = reads.reduce((total, [start, end]) => total + end - start, 0);
    expect(sum).toBeLessThan(1024 * 1024);
    expect((await (blocks[0] as LogBlock).readContent()).length).toBe(9 * 1024 * 1024);
  });

  test("types, versions and keys that are not known are refused by name (LOG-2)", async () => {
    const refusal = async (place: number, value: number): Promise<HudiError> => {
      const bytes = Buffer.from(fileOf([data("a")]));
      bytes.writeInt32BE(value, place);
      return (await collect(sourceOf(bytes)).catch((error) => error)) as HudiError;
    };
    expect(await refusal(14, 2)).toMatchObject({
      code: "UNSUPPORTED",
      path: "p/.f-0_1.log.1_0-0-0",
    });
    expect((await refusal(18, 9)).message).toContain("block type 9");
    expect((await refusal(26, 77)).message).toContain("header key 77");
  });
});

describe("damage", () => {
  test("a block that was cut off or overwritten is passed over up to the next one (LOG-5)", async () => {
    const whole = fileOf([data("lost"), data("kept")]);
    const first = fileOf([data("lost")]).length;
    const torn = Buffer.concat([whole.subarray(0, first - 9), whole.subarray(first)]);
    const blocks = await collect(sourceOf(torn));
    expect(blocks.map(({ type, offset }) => [type, offset])).toEqual([
      ["corrupt", 0],
      ["avro", first - 9],
    ]);
    const cut = await collect(sourceOf(whole.subarray(0, whole.length - 1)));
    expect(cut.map(({ type }) => type)).toEqual(["avro", "corrupt"]);
  });

  test("a file that is no log is refused, a torn first block is not (LOG-5)", async () => {
    await expect(collect(sourceOf(Buffer.from("PAR1 and so on")))).rejects.toMatchObject({
      code: "CORRUPT",
    });
    expect(await collect(sourceOf(Buffer.from("#HU")))).toMatchObject([{ type: "corrupt" }]);
    expect(await collect(sourceOf(new Uint8Array(0)))).toEqual([]);
  });

  test("a flipped or missing byte anywhere gives blocks or a typed error (LOG-4, LOG-5, LOG-6)", async () => {
    const schema = createTableSchema("t", { id: "string", tags: "list<int?>?", at: "long" });
    const rows = [
      { id: "a", tags: [1, null], at: 5n },
      { id: "b", tags: null, at: -1n },
    ];
    const batch = batchOfRows(schema, rows);
    const keys = batch.columns[0] as never;
    const content = encodeDeletes({ keys, ordering: batch.columns[2] }, schema.fields[2], "p");
    const bytes = fileOf([
      { ...data(""), header: headerOf(schema), content: [encodeAvroContent(batch, 0, 2)] },
      { type: "delete", header: new Map([["instant", "1"]]), content: [content] },
    ]);
    const readAll = async (damaged: Uint8Array): Promise<void> => {
      for (const block of await collect(sourceOf(damaged))) {
        const text = block.header.get("schema");
        const found = await block.readContent();
        if (block.type === "avro" && text !== undefined) {
          const wanted = { content: found, schemaText: text, path: "f" };
          Array.from(decodeAvroContent(wanted, schema, schema.fields, 10));
        }
        if (block.type === "delete") decodeDeletes(found, schema.fields[2], "f");
      }
    };
    await readAll(bytes);
    let refusals = 0;
    const attempt = async (damaged: Uint8Array): Promise<void> => {
      const error = await readAll(damaged).catch((caught: unknown) => caught);
      if (error === undefined) return;
      expect(error).toBeInstanceOf(HudiError);
      expect(["CORRUPT", "UNSUPPORTED"]).toContain((error as HudiError).code);
      refusals += 1;
    };
    for (let at = 0; at < bytes.length; at += 1) {
      for (const mask of [0xff, 0x01, 0x80]) {
        const flipped = bytes.slice();
        flipped[at] = (flipped[at] as number) ^ mask;
        await attempt(flipped);
      }
      await attempt(bytes.slice(0, at));
    }
    expect(refusals).toBeGreaterThan(100);
  });
});

function headerOf(schema: TableSchema): NewLogBlock["header"] {
  return new Map([
    ["instant", "20260101000000000"],
    ["schema", formatAvroSchema(schema, { namespace: "n" })],
  ]);
}

/** The values of a batch by column. */
function rowsOf(batch: ColumnBatch): Record<string, unknown>[] {
  const columns = batch.schema.fields.map((field, index) =>
    valuesIn(field, batch.columns[index] as never),
  );
  return Array.from({ length: batch.rowCount }, (_, row) =>
    Object.fromEntries(batch.schema.fields.map(({ name }, index) => [name, columns[index]?.[row]])),
  );
}

function batchOfRows(schema: TableSchema, rows: readonly object[]): ColumnBatch {
  const columns = schema.fields.map((field) =>
    columnOf(
      field,
      rows.map((row) => (row as Record<string, unknown>)[field.name]),
    ),
  );
  return { schema, rowCount: rows.length, columns };
}

const NESTED: TableSchema = createTableSchema("nested", {
  id: "string",
  tags: "list<string?>?",
  names: "map<long?>?",
  deep: "struct<a:struct<b:list<map<string?>?>?>?,flag:boolean?,on:date>?",
  points: "list<struct<x:int?,y:double>>",
});

function exactly(count: number, field: Field): fc.Arbitrary<unknown[]> {
  return fc.array(someOrNull(field), { minLength: count, maxLength: count });
}

/** Rows of every column of a schema, as a batch. */
function batches(schema: TableSchema): fc.Arbitrary<ColumnBatch> {
  return fc.integer({ min: 0, max: 12 }).chain((rowCount) =>
    fc.tuple(...schema.fields.map((field) => exactly(rowCount, field))).map((columns) => ({
      schema,
      rowCount,
      columns: schema.fields.map((field, index) => columnOf(field, columns[index] ?? [])),
    })),
  );
}

describe.each([
  ["flat", ALL_SCHEMA],
  ["nested", NESTED],
] as const)("records of %s columns", (_, schema) => {
  const schemaText = formatAvroSchema(schema, { namespace: "n" });

  test("come back as they were, in batches of any size (LOG-7, LOG-8)", () => {
    fc.assert(
      fc.property(batches(schema), fc.integer({ min: 1, max: 5 }), (batch, size) => {
        const content = encodeAvroContent(batch, 0, batch.rowCount);
        const found = [
          ...decodeAvroContent({ content, schemaText, path: "f" }, schema, schema.fields, size),
        ];
        const rows = found.length === 0 ? [] : rowsOf(concatBatches(found));
        expect(rows).toEqual(rowsOf(batch));
      }),
    );
  });

  test("columns that nobody asked for are passed over (LOG-8)", () => {
    fc.assert(
      fc.property(batches(schema), fc.nat(), (batch, pick) => {
        const field = schema.fields[pick % schema.fields.length] as (typeof schema.fields)[0];
        const content = encodeAvroContent(batch, 0, batch.rowCount);
        const found = [
          ...decodeAvroContent({ content, schemaText, path: "f" }, schema, [field], 99),
        ];
        const rows = found.flatMap(rowsOf);
        const expected = rowsOf(batch);
        expect(rows).toEqual(expected.map((row) => ({ [field.name]: row[field.name] })));
      }),
    );
  });

  test("are the bytes that a codec of values writes, which is held against avsc (LOG-7)", () => {
    const codec = parseAvroCodec(schemaText, "f");
    fc.assert(
      fc.property(batches(schema), (batch) => {
        const content = Buffer.from(encodeAvroContent(batch, 0, batch.rowCount));
        let at = 8;
        for (let row = 0; row < batch.rowCount; row += 1) {
          const length = content.readInt32BE(at);
          const record = content.subarray(at + 4, at + 4 + length);
          const writer = new AvroWriter();
          codec.encode(writer, codec.decode(new AvroReader(record, "f")));
          expect(Buffer.from(writer.finish()).equals(record)).toBe(true);
          at += 4 + length;
        }
        expect(at).toBe(content.length);
      }),
    );
  });
});

describe("deletions", () => {
  const partition = "city=lisbon";
  const orderingTypes = ["int", "long", "float", "double", "string", "boolean"] as const;

  test.each([...orderingTypes, "date", "timestamp-micros", "decimal(10,2)"])(
    "come back with ordering values of type %s, or with none (LOG-9, LOG-10)",
    (type) => {
      const [keyField, field] = createTableSchema("t", { id: "string", at: `${type}?` }).fields as [
        Field,
        Field,
      ];
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.string({ minLength: 1 }), someOrNull(field)), { maxLength: 9 }),
          (pairs) => {
            const keys = columnOf(
              keyField,
              pairs.map(([key]) => wellFormed(key)),
            );
            const ordering = columnOf(
              field,
              pairs.map(([, value]) => value),
            );
            const content = encodeDeletes({ keys: keys as never, ordering }, field, partition);
            const found = decodeDeletes(content, field, "f");
            expect(valuesIn(keyField, found.keys)).toEqual(valuesIn(keyField, keys));
            const isNone = (value: unknown): boolean => type === "int" && value === 0;
            const expected = valuesIn(field, ordering).map((value) =>
              isNone(value) ? null : value,
            );
            expect(valuesIn(field, found.ordering as never)).toEqual(expected);
          },
        ),
      );
    },
  );

  test("are the bytes that Spark wrote for a key without an ordering value (LOG-9, LOG-10)", () => {
    const keyField = createTableSchema("t", { id: "string" }).fields[0] as Field;
    const keys = columnOf(keyField, ["TXN-005"]) as never;
    const content = encodeDeletes({ keys, ordering: undefined }, undefined, "region=eu");
    const body = `02020e${Buffer.from("TXN-005").toString("hex")}0212${Buffer.from("region=eu").toString("hex")}040000`;
    expect(Buffer.from(content.subarray(8)).toString("hex")).toBe(body);
    const none = encodeDeletes(
      { keys: columnOf(keyField, []) as never, ordering: undefined },
      undefined,
      "",
    );
    expect(Buffer.from(none).toString("hex")).toBe("000000030000000100");
  });

  test("of another type than the ordering field have none (LOG-10)", () => {
    const [keyField, int, long] = createTableSchema("t", { id: "string", a: "int", b: "long" })
      .fields as [Field, Field, Field];
    const keys = columnOf(keyField, ["a"]) as never;
    const content = encodeDeletes({ keys, ordering: columnOf(int, [7]) }, int, "");
    expect(valuesIn(long, decodeDeletes(content, long, "f").ordering as never)).toEqual([null]);
  });
});

function wellFormed(text: string): string {
  return text.isWellFormed() ? text : "?";
}
