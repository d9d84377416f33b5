// Damaged and hostile files: each gives a typed error that names the file, and the next file is read
// as if nothing had happened.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Table, tableToIPC } from "apache-arrow";
import fc from "fast-check";
import * as wasm from "parquet-wasm";
import { describe, expect, test } from "vitest";
import { HudiError } from "../../src/errors.ts";
import { toArrowBatch } from "../../src/format/arrow-batch.ts";
import { requireSoundColumn } from "../../src/format/column-batch.ts";
import { assembleColumn, type LeafEntries } from "../../src/format/parquet-assembly.ts";
import { CODEC, MAGIC, PAGE, PHYSICAL } from "../../src/format/parquet-codes.ts";
import { type ColumnChunk, encodeFooter } from "../../src/format/parquet-footer.ts";
import { encodePageHeader, walkPages } from "../../src/format/parquet-page.ts";
import { openPageBody } from "../../src/format/parquet-page-body.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import type { ParquetCodec } from "../../src/format/parquet-writer.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import {
  childFields,
  createTableSchema,
  type Field,
  type NestedType,
} from "../../src/format/schema.ts";
import { toBatch } from "./nested-samples.ts";
import {
  batchOf,
  CODECS,
  contentOf,
  everyType,
  field,
  memorySource,
  propertyOptions,
  readRowGroup,
  type Value,
  writeFile,
} from "./parquet-samples.ts";

const fields = everyType(true);
const columns = fields.map(({ type }): Value[] =>
  Array.from({ length: 64 }, (_, row): Value => {
    if (row % 9 === 0) return null;
    if (type.kind === "string") return `value ${row % 6}`;
    if (type.kind === "boolean") return row % 2 === 0;
    return ["decimal", "long", "timestamp-micros"].includes(type.kind) ? BigInt(row * 7) : row * 3;
  }),
);

async function goodFile(codec: (typeof CODECS)[number] = "snappy"): Promise<Uint8Array> {
  const options = { codec, rowGroupRows: 40 };
  return (await writeFile({ name: "n", fields }, [batchOf(fields, columns)], options)).bytes;
}

async function readWhole(bytes: Uint8Array, sizeBytes = bytes.length): Promise<Value[]> {
  const file = await openParquetFile({ ...memorySource(bytes), sizeBytes });
  const values: Value[] = [];
  for (const index of file.rowGroups.keys()) {
    const content = contentOf(await readRowGroup(file, index, fields));
    values.push(...Object.values(content).flat());
  }
  return values;
}

async function refusal(bytes: Uint8Array, sizeBytes?: number): Promise<HudiError> {
  const error = await readWhole(bytes, sizeBytes).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(HudiError);
  return error as HudiError;
}

describe("damaged files (PQ-2)", () => {
  test("a file cut off anywhere is CORRUPT, with its name and what to do", async () => {
    const bytes = await goodFile();
    for (let length = 0; length < bytes.length; length += length < 20 ? 1 : 37) {
      const error = await refusal(bytes.slice(0, length));
      expect(error.code).toBe("CORRUPT");
      expect(error.message).toMatch(
        /^cannot read Parquet file folder\/file\.parquet: .*restore the file/,
      );
      expect(error.path).toBe("folder/file.parquet");
    }
  });

  test("a file that is shorter than its listing says is CORRUPT", async () => {
    const bytes = await goodFile();
    const error = await refusal(bytes, bytes.length + 100);
    expect(error.message).toContain("it is shorter than");
  });

  test("bytes of another kind are CORRUPT", async () => {
    const text = new TextEncoder().encode(
      "Obj\u0001 this is no Parquet file, but long enough to be one",
    );
    expect((await refusal(text)).message).toContain("it does not end with PAR1");
    const claims = (await goodFile()).slice();
    new DataView(claims.buffer).setUint32(claims.length - 8, 0x7fffffff, true);
    expect((await refusal(claims)).message).toContain("its footer claims 2147483647 of");
  });

  test("flipped bits give a typed error or values, and the next file is whole", async () => {
    const files = await Promise.all(CODECS.map(goodFile));
    const expected = await readWhole(files[0]!);
    const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(flip, { minLength: 1, maxLength: 3 }),
        async (file, flips) => {
          const bytes = file.slice();
          for (const [place, mask] of flips) bytes[place % bytes.length]! ^= mask;
          try {
            await readWhole(bytes);
          } catch (error) {
            if (!(error instanceof HudiError)) throw error;
            expect(["CORRUPT", "UNSUPPORTED"]).toContain(error.code);
          }
        },
      ),
      propertyOptions(1500),
    );
    expect(await readWhole(files[0]!)).toEqual(expected);
  }, 60_000);
});

describe("damaged files with columns inside columns (PQ-2, PQ-16)", () => {
  const schema = createTableSchema("t", {
    id: "int",
    a: "list<int?>?",
    m: "map<string?>?",
    s: "struct<x:int?,y:list<struct<z:string?,w:long?>?>?>?",
    ll: "list<list<double?>?>?",
  });
  const item = { z: "text", w: 7n };
  const rows = [
    { id: 0, a: null, m: null, s: null, ll: null },
    { id: 1, a: [], m: {}, s: { x: null, y: [] }, ll: [[]] },
    {
      id: 2,
      a: [1, null],
      m: { k: null, j: "v" },
      s: { x: 2, y: [item, null] },
      ll: [[1.5], null],
    },
  ];
  const table = [...rows, ...rows];

  const own = async (codec: ParquetCodec): Promise<Uint8Array> =>
    (await writeFile(schema, [toBatch(schema, table)], { codec, pageBytes: 30, rowGroupRows: 4 }))
      .bytes;
  /** Pages of version 2, in the delta encodings. */
  const rust = async (): Promise<Uint8Array> => {
    const batch = await toArrowBatch(toBatch(schema, table));
    const properties = new wasm.WriterPropertiesBuilder()
      .setWriterVersion(wasm.WriterVersion.V2)
      .setDictionaryEnabled(false)
      .setCompression(wasm.Compression.UNCOMPRESSED)
      .setDataPageSizeLimit(30)
      .setWriteBatchSize(2);
    const stream = tableToIPC(new Table([batch]), "stream");
    return wasm.writeParquet(wasm.Table.fromIPCStream(stream), properties.build());
  };
  const fixture = (name: string): Uint8Array =>
    new Uint8Array(readFileSync(new URL(`../../fixtures/parquet/${name}`, import.meta.url)));

  /** Reads all there is; what is given without an error is whole. */
  async function requireWholeOrRefused(bytes: Uint8Array): Promise<"rows" | "refused"> {
    try {
      const file = await openParquetFile(memorySource(bytes));
      for (const [group, { rowCount }] of file.rowGroups.entries()) {
        const batch = await readRowGroup(file, group, schema.fields);
        batch.columns.forEach((column, at) => {
          requireSoundColumn(schema.fields[at] as Field, column);
        });
        assert.equal([...batchRows(batch)].length, rowCount);
      }
      return "rows";
    } catch (error) {
      if (!(error instanceof HudiError)) throw error;
      assert.match(error.code, /^(CORRUPT|UNSUPPORTED)$/);
      assert.match(error.message, /folder\/file\.parquet/);
      return "refused";
    }
  }

  test.each<[string, () => Promise<Uint8Array>, number]>([
    ["of ours, as it is", () => own("uncompressed"), 1],
    ["of ours, in snappy", () => own("snappy"), 2],
    ["of parquet-wasm, version 2 and delta encodings", rust, 2],
    ["of Spark, version 2", async () => fixture("spark_nested_v2.parquet"), 5],
    ["of pyarrow, version 2", async () => fixture("pyarrow_nested_v2.parquet"), 11],
  ])(
    "a file %s, wrong in any one byte or cut off anywhere, gives whole rows or a typed error",
    async (_, make, step) => {
      const bytes = await make();
      expect(await requireWholeOrRefused(bytes)).toBe("rows");
      const seen = { rows: 0, refused: 0 };
      for (let place = 0; place < bytes.length; place += step) {
        for (const mask of step === 1 ? [0xff, 1 << (place % 8)] : [1 << (place % 8)]) {
          const damaged = bytes.slice();
          damaged[place]! ^= mask;
          seen[await requireWholeOrRefused(damaged)] += 1;
        }
        if (place % 5 === 0) {
          expect(await requireWholeOrRefused(bytes.slice(0, place))).toBe("refused");
        }
      }
      expect(seen.rows).toBeGreaterThan(0);
      expect(seen.refused).toBeGreaterThan(bytes.length / step / 8);
    },
    60_000,
  );

  test("a claim of more values than any writer puts into a row group is refused unread", async () => {
    const header = encodePageHeader(
      {
        type: PAGE.data,
        valueCount: 2 ** 26,
        uncompressedBytes: 8,
        encoding: 0,
        definitionEncoding: 3,
        repetitionEncoding: 3,
      },
      8,
      true,
    );
    const page = Buffer.concat([header, new Uint8Array(8)]);
    const chunk = Buffer.concat(Array(5).fill(page));
    const bytes = Buffer.concat([
      MAGIC,
      chunk,
      encodeFooter({
        elements: [
          { name: "n", childCount: 1 },
          { name: "s", repetition: 1, childCount: 1 },
          { name: "i", physicalType: PHYSICAL.int32, repetition: 1 },
        ],
        rowCount: 5 * 2 ** 26,
        rowGroups: [
          {
            rowCount: 5 * 2 ** 26,
            columns: [
              {
                physicalType: PHYSICAL.int32,
                path: ["s", "i"],
                codec: CODEC.none,
                encodings: [0],
                valueCount: 5 * 2 ** 26,
                uncompressedBytes: chunk.length,
                compressedBytes: chunk.length,
                dataPageOffset: MAGIC.length,
              },
            ],
          },
        ],
        keyValues: new Map(),
        hasColumnOrders: true,
      }),
    ]);
    const file = await openParquetFile(memorySource(new Uint8Array(bytes)));
    const { fields: asked } = createTableSchema("t", { s: "struct<i:int?>?" });
    const before = process.memoryUsage().arrayBuffers;
    await expect(readRowGroup(file, 0, asked)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringContaining("claims 335544320 values"),
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 2 ** 20);
  });

  test("leaves that tell of different rows or items are refused", () => {
    const [field] = createTableSchema("t", { c: "list<struct<a:int?,b:int?>?>?" }).fields;
    const leaf = (definition: number[], repetition: number[]): LeafEntries => ({
      definition: Uint8Array.from(definition),
      repetition: Uint8Array.from(repetition),
      maxDefinition: 4,
      values: {
        layout: "int32",
        rowCount: 2,
        validity: undefined,
        values: Int32Array.of(1, 2),
      },
    });
    const assemble = (a: LeafEntries, b: LeafEntries): unknown => {
      const [element] = childFields((field as Field).type as NestedType) as [Field];
      const [fieldA, fieldB] = childFields(element.type as NestedType) as [Field, Field];
      const struct = {
        field: element,
        definition: 3,
        leaf: a,
        children: [
          { field: fieldA, definition: 4, leaf: a },
          { field: fieldB, definition: 4, leaf: b },
        ],
      };
      const list = { field: field as Field, definition: 1, leaf: a, itemDefinition: 2 };
      return assembleColumn({ ...list, children: [struct] }, 0, 0);
    };
    const good = leaf([4, 4], [0, 1]);
    expect(assemble(good, good)).toMatchObject({ rowCount: 1 });
    expect(() => assemble(good, leaf([4, 4, 2], [0, 1, 1]))).toThrow("tell of 2 and of 3 values");
  });
});

describe("files that lie about lengths (PQ-3)", () => {
  interface Lie {
    readonly rowCount: number;
    readonly header: Uint8Array;
    readonly body: Uint8Array;
    readonly meta?: Partial<ColumnChunk>;
    readonly isOptional?: boolean;
  }

  /** A file with one column of longs, whose parts may say anything. */
  function craft({ rowCount, header, body, meta, isOptional }: Lie): Uint8Array {
    const size = header.length + body.length;
    const chunk: ColumnChunk = {
      physicalType: PHYSICAL.int64,
      path: ["l"],
      codec: CODEC.none,
      encodings: [0],
      valueCount: rowCount,
      uncompressedBytes: size,
      compressedBytes: size,
      dataPageOffset: MAGIC.length,
      ...meta,
    };
    const footer = encodeFooter({
      elements: [
        { name: "n", childCount: 1 },
        { name: "l", physicalType: PHYSICAL.int64, repetition: isOptional ? 1 : 0 },
      ],
      rowCount,
      rowGroups: [{ rowCount, columns: [chunk] }],
      keyValues: new Map(),
      hasColumnOrders: true,
    });
    return new Uint8Array(Buffer.concat([MAGIC, header, body, footer]));
  }

  const page = (valueCount: number, uncompressedBytes: number, bodyBytes: number): Uint8Array =>
    encodePageHeader(
      {
        type: PAGE.data,
        valueCount,
        uncompressedBytes,
        encoding: 0,
        definitionEncoding: 3,
        repetitionEncoding: 3,
      },
      bodyBytes,
      true,
    );

  async function refuse(bytes: Uint8Array): Promise<string> {
    const error = await openParquetFile(memorySource(bytes))
      .then((file) => readRowGroup(file, 0, [field("l", "long")]))
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(HudiError);
    expect((error as HudiError).code).toBe("CORRUPT");
    return (error as HudiError).message;
  }

  const body = new Uint8Array(16);
  const honest = { rowCount: 2, header: page(2, 16, 16), body };

  test("the honest one is read", async () => {
    const file = await openParquetFile(memorySource(craft(honest)));
    expect(contentOf(await readRowGroup(file, 0, [field("l", "long")])).l).toEqual([0n, 0n]);
  });

  test("a Snappy or gzip block of another length than its page is seen before it is decoded", () => {
    const block = new Uint8Array([16, 15 << 2, ...new Uint8Array(16)]);
    const snappy = new Uint8Array(Buffer.concat([page(2, 17, block.length), block]));
    expect(() => walkPages(snappy, 2, CODEC.snappy)).toThrow("claims 17 bytes in 18");
    const packed = gzipSync(body);
    const gzip = new Uint8Array(Buffer.concat([page(2, 17, packed.length), packed]));
    const levels = { definition: 0, repetition: 0 };
    const unpack = (bytes: Uint8Array): unknown =>
      openPageBody(bytes, walkPages(bytes, 2, CODEC.gzip)[0]!, CODEC.gzip, levels);
    expect(() => unpack(gzip)).toThrow("unpacks to 16 bytes, not 17");
    // Output beyond the declared size is not even made.
    const bomb = gzipSync(new Uint8Array(1 << 20));
    const swollen = new Uint8Array(Buffer.concat([page(2, 17, bomb.length), bomb]));
    expect(() => unpack(swollen)).toThrow("a page does not unpack");
  });

  test.each<[string, Lie, string]>([
    [
      "rows that no page holds",
      { ...honest, rowCount: 2 ** 40 },
      "its pages hold 2 values for 1099511627776 rows",
    ],
    [
      "a page beyond its column",
      { ...honest, header: page(2, 16, 1 << 20) },
      "goes past the end of its column",
    ],
    [
      "a page that holds less than it says",
      { ...honest, header: page(2, 1 << 30, 16) },
      "claims 1073741824 bytes in 16",
    ],
    [
      "values that the bytes cannot hold",
      { ...honest, rowCount: 2 ** 30, header: page(2 ** 30, 16, 16) },
      "column l of row group 0 is damaged",
    ],
    [
      "a page of more values than any writer puts into one",
      { ...honest, rowCount: 2 ** 27, header: page(2 ** 27, 16, 16), isOptional: true },
      "claims 134217728 values",
    ],
    [
      "levels that the bytes cannot hold",
      { ...honest, rowCount: 2 ** 30, header: page(2 ** 30, 16, 16), isOptional: true },
      "column l of row group 0 is damaged",
    ],
    [
      "a Snappy block that unpacks to more",
      { ...honest, header: page(2, 1 << 30, 16), meta: { codec: CODEC.snappy } },
      "claims 1073741824 bytes in 16",
    ],
    [
      "a gzip block that unpacks to less",
      { ...honest, header: page(2, 1 << 30, 16), meta: { codec: CODEC.gzip } },
      "a page does not unpack",
    ],
    [
      "a zstd block that is none",
      { ...honest, header: page(2, 1 << 30, 16), meta: { codec: CODEC.zstd } },
      "a page does not unpack",
    ],
    [
      "a column outside the file",
      { ...honest, meta: { compressedBytes: 1 << 20 } },
      "column l lies at",
    ],
    [
      "a column of another type",
      { ...honest, meta: { physicalType: PHYSICAL.byteArray } },
      "disagrees with the schema",
    ],
    [
      "a column of another length",
      { ...honest, meta: { valueCount: 3 } },
      "disagrees with the schema",
    ],
  ])("%s", async (_, lie, message) => {
    expect(await refuse(craft(lie))).toContain(message);
  });
});
