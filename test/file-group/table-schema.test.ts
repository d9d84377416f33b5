// Which schema a table has: that of its newest completed commit that carries one.
import { describe, expect, test } from "vitest";
import { loadTableSchema } from "../../src/file-group/table-schema.ts";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { parseTableConfig } from "../../src/layout/table-config.ts";
import { systemRuntime } from "../../src/runtime/runtime.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { loadActiveTimeline } from "../../src/timeline/active-timeline.ts";
import { formatCommitMetadata } from "../../src/timeline/commit-metadata.ts";

const schemaText = (column: string): string =>
  formatAvroSchema(createTableSchema("t", { [column]: "int" }), { namespace: "hoodie.t" });

const metadata = (schema?: string): Uint8Array =>
  formatCommitMetadata({
    operationType: "UPSERT",
    compacted: false,
    partitionToWriteStats: new Map(),
    partitionToReplaceFileIds: new Map(),
    extraMetadata: new Map(schema === undefined ? [] : [["schema", schema]]),
  });

/** The column of the schema that a table with these timeline files has. */
async function columnOf(
  files: Readonly<Record<string, Uint8Array>>,
  options: { asOf?: string; created?: string } = {},
): Promise<string | undefined> {
  const storage = new MemoryStorage();
  for (const [name, bytes] of Object.entries(files)) await storage.put(`.hoodie/${name}`, bytes);
  const text = "hoodie.table.name=t\nhoodie.table.type=COPY_ON_WRITE\nhoodie.table.version=6\n";
  const created =
    options.created && `hoodie.table.create.schema=${options.created.replaceAll(":", "\\:")}`;
  const config = parseTableConfig(
    `${text}hoodie.timeline.layout.version=1\n${created ?? ""}`,
    "here",
  );
  const context = { storage, config, runtime: systemRuntime };
  const timeline = await loadActiveTimeline(context);
  return (await loadTableSchema(context, timeline, options.asOf)).fields[0]?.name;
}

const [T1, T2, T3] = ["20260101000000001", "20260101000000002", "20260101000000003"] as const;

describe("the schema of a table (SC-4)", () => {
  test("is that of the newest completed commit", async () => {
    const files = {
      [`${T1}.commit`]: metadata(schemaText("a")),
      [`${T2}.commit`]: metadata(schemaText("b")),
      [`${T3}.inflight`]: metadata(schemaText("c")),
    };
    expect(await columnOf(files, { created: schemaText("z") })).toBe("b");
    expect(await columnOf(files, { asOf: T1 })).toBe("a");
  });

  test("is an older one where the newest carries none", async () => {
    const files = {
      [`${T1}.commit`]: metadata(schemaText("a")),
      [`${T2}.commit`]: metadata(),
      [`${T3}.replacecommit`]: metadata(""),
    };
    expect(await columnOf(files)).toBe("a");
  });

  test("is the one it was created with where no commit carries one", async () => {
    expect(await columnOf({}, { created: schemaText("z") })).toBe("z");
    expect(await columnOf({ [`${T1}.commit`]: metadata() }, { created: schemaText("z") })).toBe(
      "z",
    );
  });

  test("must be somewhere", async () => {
    await expect(columnOf({})).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(/memory:/),
    });
  });

  test("that is damaged is told with the file that it stands in", async () => {
    const damaged = columnOf({ [`${T1}.commit`]: metadata("{") });
    await expect(damaged).rejects.toMatchObject({
      code: "CORRUPT",
      path: `.hoodie/${T1}.commit`,
      message: expect.stringMatching(new RegExp(`stands in .hoodie/${T1}.commit`)),
    });
    const type = schemaText("a").replace('"int"', '"uuid"');
    await expect(columnOf({}, { created: type })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      path: ".hoodie/hoodie.properties",
      message: expect.stringMatching(/column a/),
    });
  });
});
