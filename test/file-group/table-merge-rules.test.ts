// Which rules the properties of a table name for versions of a row in its logs.
import { expect, test } from "vitest";
import { tableMergeRules } from "../../src/file-group/table-merge-rules.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import type { TableConfig } from "../../src/layout/table-config.ts";

const SCHEMA = createTableSchema("rows", { id: "string", at: "long" });
const MODEL = "org.apache.hudi.common.model";

function rulesOf(properties: Readonly<Record<string, string>>, layout: 1 | 2 = 1) {
  const config = { properties: new Map(Object.entries(properties)), layout, orderingField: "at" };
  const { orderingField, deletions, weighsStored } = tableMergeRules(
    config as unknown as TableConfig,
    SCHEMA,
  );
  return { field: orderingField?.name, deletions, weighsStored };
}

const payload = (name: string): Record<string, string> => ({
  "hoodie.compaction.payload.class": `${MODEL}.${name}`,
});

test.each([
  [payload("DefaultHoodieRecordPayload"), { field: "at", weighsStored: true }],
  [payload("EventTimeAvroPayload"), { field: "at", weighsStored: true }],
  [payload("OverwriteWithLatestAvroPayload"), { field: "at", weighsStored: false }],
  [{}, { field: "at", weighsStored: false }],
  [{ "hoodie.record.merge.mode": "EVENT_TIME_ORDERING" }, { field: "at", weighsStored: true }],
  [
    { "hoodie.record.merge.mode": "COMMIT_TIME_ORDERING" },
    { field: undefined, weighsStored: false },
  ],
])("%j: what is weighed (MR-18)", (properties, expected) => {
  expect(rulesOf(properties)).toEqual({ ...expected, deletions: "payload" });
  expect(rulesOf(properties, 2)).toEqual({ ...expected, deletions: "event-time" });
});

test.each([
  [payload("PartialUpdateAvroPayload"), /payload PartialUpdateAvroPayload/],
  [
    { "hoodie.record.merge.mode": "CUSTOM", ...payload("Mine") },
    /merge mode CUSTOM with payload Mine/,
  ],
  [
    {
      "hoodie.record.merge.mode": "EVENT_TIME_ORDERING",
      "hoodie.table.ordering.fields": "at,seq",
    },
    /several ordering fields \(at,seq\)/,
  ],
])("%j is refused by name (MR-18)", (properties, message) => {
  expect(() => rulesOf(properties)).toThrow(message);
});
