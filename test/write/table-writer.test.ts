// Tables that this library would not keep whole are refused for writing, by name (TBL-10).
import { describe, expect, test } from "vitest";
import { HudiTable, MemoryStorage, MemoryStore } from "../../src/index.ts";
import { formatProperties, parseProperties } from "../../src/layout/table-config.ts";
import { PROPERTIES_PATH } from "../../src/layout/table-paths.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";

/** A table with one row, whose properties another engine has changed since. */
async function openChanged(changes: Readonly<Record<string, string>>): Promise<HudiTable> {
  const store = new MemoryStore(new SimulatedClock(Date.UTC(2026, 10, 20)));
  const storage = new MemoryStorage(store);
  const options = { storage, workers: { count: 0 } };
  const table = await HudiTable.create(
    "memory",
    {
      name: "t",
      type: "copy-on-write",
      fields: { id: "string", at: "int" },
      recordKey: "id",
      orderingField: "at",
    },
    options,
  );
  await table.upsert([{ id: "a", at: 1 }]);
  const { bytes } = await storage.read(PROPERTIES_PATH);
  const properties = parseProperties(Buffer.from(bytes).toString("latin1"));
  for (const [key, value] of Object.entries(changes)) properties.set(key, value);
  await storage.put(PROPERTIES_PATH, Buffer.from(formatProperties(properties, 0), "latin1"));
  return HudiTable.open("memory", options);
}

const PAYLOAD = "hoodie.compaction.payload.class";
const MODEL = "org.apache.hudi.common.model";

describe("a table with a feature of other engines", () => {
  test.each([
    [PAYLOAD, `${MODEL}.PartialUpdateAvroPayload`],
    [PAYLOAD, `${MODEL}.OverwriteWithLatestAvroPayload`],
    ["hoodie.table.cdc.enabled", "true"],
    ["hoodie.index.type", "RECORD_INDEX"],
    ["hoodie.bootstrap.base.path", "s3://elsewhere"],
    ["hoodie.table.base.file.format", "ORC"],
  ])("is refused for writing and rolling back: %s=%s (TBL-10)", async (key, value) => {
    const table = await openChanged({ [key]: value });
    const refusal = { code: "UNSUPPORTED", message: expect.stringContaining("cannot write table") };
    await expect(table.upsert([{ id: "b", at: 1 }])).rejects.toMatchObject(refusal);
    const [instant] = await table.timeline();
    await expect(table.rollback(instant?.time ?? "")).rejects.toMatchObject(refusal);
  });

  test("is written where the feature changes nothing (TBL-10)", async () => {
    const table = await openChanged({ [PAYLOAD]: `${MODEL}.EventTimeAvroPayload` });
    await table.upsert([{ id: "b", at: 1 }]);
    expect(await table.read().toArray()).toHaveLength(2);
  });
});
