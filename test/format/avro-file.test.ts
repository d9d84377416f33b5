// Avro containers: those that Spark and avsc wrote, ours, and damaged ones. Rules: spec/format/avro.md.
import { readdirSync, readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import avsc from "avsc";
import { describe, expect, test } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { AvroReader, AvroWriter } from "../../src/format/avro-binary.ts";
import { parseAvroCodec } from "../../src/format/avro-codec.ts";
import { decodeAvroFile, encodeAvroFile, isAvroFile } from "../../src/format/avro-file.ts";

const SYNC = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const SCHEMA = {
  type: "record",
  name: "ns.R",
  fields: [
    { name: "text", type: ["null", "string"], default: null },
    { name: "map", type: { type: "map", values: "long" } },
  ],
};
const RECORD = { text: "ключ", map: new Map([["__proto__", 2 ** 52]]) };

function createContainer(
  header: Record<string, string>,
  blocks: readonly (readonly [number, Uint8Array])[],
): Uint8Array {
  const writer = new AvroWriter();
  writer.append(Buffer.from("Obj\x01"));
  const entries = Object.entries(header);
  if (entries.length > 0) writer.writeLong(entries.length);
  for (const [key, value] of entries) {
    writer.writeText(key);
    writer.writeText(value);
  }
  writer.writeLong(0);
  writer.append(SYNC);
  for (const [count, data] of blocks) {
    writer.writeLong(count);
    writer.writeBytes(data);
    writer.append(SYNC);
  }
  return writer.finish();
}

function refusal(code: string): unknown {
  return expect.objectContaining({
    code,
    path: "p/file",
    message: expect.stringContaining("p/file"),
  });
}

describe("containers", () => {
  test("ours comes back, and the encoder and the closures make the same bytes (AV-9, AV-10)", async () => {
    const bytes = await encodeAvroFile(SCHEMA, RECORD, SYNC);
    expect(isAvroFile(bytes)).toBe(true);
    const file = decodeAvroFile(bytes, "p/file");
    expect(file).toMatchObject({ typeName: "ns.R", schemaText: JSON.stringify(SCHEMA) });
    expect({ ...(file.records[0] as object) }).toEqual(RECORD);
    const writer = new AvroWriter();
    parseAvroCodec(JSON.stringify(SCHEMA), "p/file").encode(writer, RECORD);
    const byClosures = createContainer({ "avro.schema": JSON.stringify(SCHEMA) }, [
      [1, writer.finish()],
    ]);
    expect(Buffer.from(bytes).toString("hex")).toBe(Buffer.from(byClosures).toString("hex"));
  });

  test("the header holds the schema alone: no codec (AV-10)", async () => {
    const reader = new AvroReader(await encodeAvroFile(SCHEMA, RECORD, SYNC), "p/file");
    reader.take(4);
    expect(reader.readBlockCount()).toBe(1);
    expect(reader.readText()).toBe("avro.schema");
  });

  test.each(["null", "deflate"])(
    "several blocks of codec %s as avsc writes them are read (AV-9)",
    async (codec) => {
      const encoder = new avsc.streams.BlockEncoder(avsc.Type.forSchema("int"), {
        codec,
        blockSize: 100,
      });
      const chunks: Buffer[] = [];
      encoder.on("data", (chunk: Buffer) => chunks.push(chunk));
      const numbers = Array.from({ length: 500 }, (_, i) => i * i);
      for (const number of numbers) encoder.write(number);
      await new Promise<void>((resolve) => {
        encoder.on("end", resolve);
        encoder.end();
      });
      expect(decodeAvroFile(Buffer.concat(chunks), "p/file").records).toEqual(numbers);
    },
  );

  test("a record that is none of the schema is refused, and so is a short sync marker (AV-7)", async () => {
    await expect(encodeAvroFile(SCHEMA, { text: 5, map: new Map() }, SYNC)).rejects.toMatchObject({
      code: "INVALID",
    });
    await expect(encodeAvroFile(SCHEMA, RECORD, new Uint8Array(8))).rejects.toMatchObject({
      code: "INVALID",
    });
  });
});

describe("damaged containers", () => {
  const ints = { "avro.schema": '"int"' };
  test.each([
    ["no bytes", new Uint8Array(0), "CORRUPT"],
    ["another magic", Buffer.from("Obj\x02xxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "CORRUPT"],
    ["no schema", createContainer({}, []), "CORRUPT"],
    [
      "a codec that is not known",
      createContainer({ ...ints, "avro.codec": "snappy" }, []),
      "UNSUPPORTED",
    ],
    ["fewer records than bytes", createContainer(ints, [[1, Uint8Array.of(2, 2)]]), "CORRUPT"],
    [
      "a deflated block that is none",
      createContainer({ ...ints, "avro.codec": "deflate" }, [[1, Uint8Array.of(9)]]),
      "CORRUPT",
    ],
  ])("%s: refused by name (AV-9)", (_, bytes, code) => {
    expect(() => decodeAvroFile(bytes, "p/file")).toThrow(refusal(code));
  });

  test.each([2, 2 ** 40, -1])(
    "a block that declares %i records in one byte is refused before the first (AV-9)",
    (count) => {
      const bytes = createContainer(ints, [[count, Uint8Array.of(2)]]);
      expect(() => decodeAvroFile(bytes, "p/file")).toThrow(
        `found a block of ${count} records in 1 bytes`,
      );
    },
  );

  test("a block that unpacks to more than 256 MiB is not unpacked (AV-9)", () => {
    const bomb = deflateRawSync(Buffer.alloc(257 * 1024 * 1024), { level: 1 });
    const bytes = createContainer({ ...ints, "avro.codec": "deflate" }, [[1, bomb]]);
    expect(() => decodeAvroFile(bytes, "p/file")).toThrow(refusal("CORRUPT"));
    expect(() => decodeAvroFile(bytes, "p/file")).toThrow("does not unpack");
  });

  test("another sync marker after a block is refused (AV-9)", () => {
    const bytes = createContainer(ints, [[1, Uint8Array.of(2)]]);
    bytes[bytes.length - 1] = 0xff;
    expect(() => decodeAvroFile(bytes, "p/file")).toThrow(refusal("CORRUPT"));
  });

  const folder = new URL("../../fixtures/timeline/v9/", import.meta.url);
  const planName = readdirSync(folder).find((name) =>
    name.endsWith(".clustering.requested"),
  ) as string;
  const plan = readFileSync(new URL(planName, folder));

  test("every truncation of Spark's plan is refused (AV-9)", () => {
    const { schemaText } = decodeAvroFile(plan, "p/file");
    // Cut between the header and the block, the file is whole and holds nothing.
    const headerEnd = plan.indexOf(plan.subarray(-16)) + 16;
    expect(headerEnd).toBeGreaterThan(schemaText.length);
    for (let length = 0; length < plan.length; length += 1) {
      const cut = plan.subarray(0, length);
      if (length === headerEnd) expect(decodeAvroFile(cut, "p/file").records).toEqual([]);
      else expect(() => decodeAvroFile(cut, "p/file")).toThrow(refusal("CORRUPT"));
    }
  });

  test("whatever bit of Spark's plan flips, there is a value or an error of ours (AV-9)", () => {
    for (let at = 0; at < plan.length; at += 1) {
      const flipped = Buffer.from(plan);
      flipped[at] = (flipped[at] as number) ^ (1 << (at & 7));
      try {
        decodeAvroFile(flipped, "p/file");
      } catch (error) {
        if (!isHudiError(error)) expect.fail(`byte ${at}: ${error}`);
      }
    }
  });
});
