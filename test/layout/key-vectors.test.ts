// Record keys and partition paths as Hudi's own key generators make them: the vectors of `fixtures/keys`,
// row by row and all rows of a case at once.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ColumnBatch } from "../../src/format/column-batch.ts";
import { createTableSchema, parseFieldType } from "../../src/format/schema.ts";
import { parseKeyGenerator } from "../../src/layout/key-generator.ts";
import { type RowPartitions, rowPartitions } from "../../src/layout/partition-path.ts";
import { recordKeys } from "../../src/layout/record-key.ts";
import { runAtOnce } from "../../src/runtime/steps.ts";
import { batchOf, valuesIn } from "../format/column-samples.ts";

type Cell = string | null | { readonly [name: string]: Cell };

interface KeyVectors {
  readonly generator: string;
  readonly keys: string;
  readonly partitions: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, string>>;
  /** Values of the fields, record key, partition path; null where Hudi refuses. */
  readonly rows: readonly (readonly [readonly Cell[], string | null, string | null])[];
}

const VECTORS = JSON.parse(
  await readFile(join(import.meta.dirname, "../../fixtures/keys/vectors.json"), "utf8"),
) as KeyVectors[];

// The vectors were made in this zone, which counts where the properties name none.
const zone = process.env.TZ;
beforeAll(() => {
  process.env.TZ = "America/New_York";
});
afterAll(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

function parseCell(cell: Cell, type: string): unknown {
  if (cell === null) return null;
  if (typeof cell === "object") {
    const parsed = parseFieldType("c", type).type;
    const fields = parsed.kind === "struct" ? parsed.fields : [];
    return Object.fromEntries(
      fields.map((field) => [
        field.name,
        parseCell(
          cell[field.name] ?? null,
          field.type.kind === "struct"
            ? `struct<${field.type.fields.map((one) => `${one.name}:${one.type.kind}?`).join()}>`
            : field.type.kind,
        ),
      ]),
    );
  }
  const kind = type.replace("?", "");
  if (kind === "long" || kind === "timestamp-micros") return BigInt(cell);
  if (kind === "int" || kind === "double") return Number(cell);
  return kind === "boolean" ? cell === "true" : cell;
}

/** Calls for the keys and paths of rows of a case. */
function generatorOf({ generator, keys, partitions, properties, fields }: KeyVectors): {
  readonly batch: (rows: KeyVectors["rows"]) => ColumnBatch;
  readonly keysOf: (batch: ColumnBatch) => unknown[];
  readonly pathsOf: (batch: ColumnBatch) => string[];
} {
  const split = (text: string): string[] => text.split(",").filter((part) => part !== "");
  const recordKeyFields = split(keys);
  const stored = new Map([
    ...Object.entries(properties),
    ["hoodie.table.keygenerator.class", `org.apache.hudi.keygen.${generator}KeyGenerator`],
    ["hoodie.table.complex.keygenerator.encoding", "VALUE_ONLY"],
  ] as const);
  const columns = { version: 6, recordKeyFields, partitionFields: split(partitions) };
  const keyGenerator = parseKeyGenerator(stored, columns);
  expect(keyGenerator.refusal).toBeUndefined();
  const scheme = {
    recordKeyFields,
    keyGenerator,
    hiveStyle: properties["hoodie.datasource.write.hive_style_partitioning"] === "true",
    urlEncode: properties["hoodie.datasource.write.partitionpath.urlencode"] === "true",
  };
  const describeRow = (row: number): string => `row ${row}`;
  const text = { id: 0, name: "key", type: { kind: "string" }, nullable: true } as const;
  return {
    batch: (rows) => {
      const types = Object.entries(fields);
      const values = types.map(([name, type], at) => [
        name,
        rows.map(([cells]) => parseCell(cells[at] ?? null, type)),
      ]);
      return batchOf(createTableSchema("t", fields), Object.fromEntries(values));
    },
    keysOf: (batch) => valuesIn(text, runAtOnce(recordKeys(batch, scheme, describeRow))),
    pathsOf: (batch) => {
      const found: RowPartitions = runAtOnce(rowPartitions(batch, scheme, describeRow));
      return Array.from(found.partitionOfRow, (at) => found.paths[at] as string);
    },
  };
}

/** What is made, or the message of the refusal. */
function attempt<T>(make: () => readonly T[]): T | { readonly refused: string } {
  try {
    return make()[0] as T;
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID" });
    return { refused: (error as Error).message };
  }
}

const title = ({ generator, keys, partitions, properties }: KeyVectors): string =>
  `${generator} ${keys} | ${partitions} ${Object.entries(properties)
    .map(([key, value]) => `${key.split(".").slice(-2).join(".")}=${value}`)
    .join(" ")}`;

describe("keys and paths are those of Hudi (RK-10, RK-11, RK-13, RK-15, RK-16, RK-17)", () => {
  test.each(VECTORS.map((vectors) => [title(vectors), vectors] as const))("%s", (_, vectors) => {
    const { batch, keysOf, pathsOf } = generatorOf(vectors);
    const whole: KeyVectors["rows"][number][] = [];
    for (const row of vectors.rows) {
      const [cells, key, path] = row;
      const one = batch([row]);
      const found = { key: attempt(() => keysOf(one)), path: attempt(() => pathsOf(one)) };
      // Folders that engines skip are refused here, where Hudi makes them.
      const isSkipped = typeof found.path === "object" && /engines skip/.test(found.path.refused);
      const refused = { refused: expect.any(String) };
      expect({ cells, ...found }).toEqual({
        cells,
        key: key ?? refused,
        path: isSkipped ? refused : (path ?? refused),
      });
      if (isSkipped) expect(path).toMatch(/(^|\/)[_.]/);
      if (typeof found.key === "string" && typeof found.path === "string") whole.push(row);
    }
    const all = batch(whole);
    expect(keysOf(all)).toEqual(whole.map(([, key]) => key));
    expect(pathsOf(all)).toEqual(whole.map(([, , path]) => path));
  });
});
