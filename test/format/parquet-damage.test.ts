// Damaged and hostile files: each gives a typed error that names the file, and the next file is read
// as if nothing had happened.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HudiError } from "../../src/errors.ts";
import { CODEC, MAGIC, PAGE, PHYSICAL } from "../../src/format/parquet-codes.ts";
import { type ColumnChunk, encodeFooter } from "../../src/format/parquet-footer.ts";
import { encodePageHeader, walkPages } from "../../src/format/parquet-page.ts";
import { openPageBody } from "../../src/format/parquet-page-body.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
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
