// How a table weighs versions of a row that logs hold. Rules: spec/format/merge-rules.md MR-15 to MR-18.
import { HudiError } from "../errors.ts";
import { requireField, type TableSchema } from "../format/schema.ts";
import type { TableConfig } from "../layout/table-config.ts";
import type { LogMergeRules } from "./log-merge.ts";

const BY_EVENT_TIME = ["DefaultHoodieRecordPayload", "EventTimeAvroPayload"];
const LATEST = "OverwriteWithLatestAvroPayload";

/** The rules of a table. Throws `UNSUPPORTED` for a payload or merge mode that has others. */
export function tableMergeRules(config: TableConfig, schema: TableSchema): LogMergeRules {
  const { properties, layout, orderingField } = config;
  const deletions = layout === 1 ? "payload" : "event-time";
  if (orderingField === undefined) {
    return { orderingField: undefined, deletions, weighsStored: false };
  }
  const field = requireField(schema, orderingField);
  const weighed: LogMergeRules = { orderingField: field, deletions, weighsStored: true };
  const mode = properties.get("hoodie.record.merge.mode")?.toUpperCase() ?? "";
  if (mode === "EVENT_TIME_ORDERING") {
    requireOneOrderingField(properties);
    return weighed;
  }
  const latest: LogMergeRules = { orderingField: undefined, deletions, weighsStored: false };
  if (mode === "COMMIT_TIME_ORDERING") return latest;
  const payload = properties.get("hoodie.compaction.payload.class") ?? "";
  const name = payload.slice(payload.lastIndexOf(".") + 1);
  if (mode !== "") return refuse(`merge mode ${mode} with payload ${name}`);
  if (BY_EVENT_TIME.includes(name)) return weighed;
  // Among the logs of a slice this payload goes by ordering values; stored rows it replaces anyway.
  if (name === LATEST || name === "") return { ...weighed, weighsStored: false };
  return refuse(`payload ${name}`);
}

function requireOneOrderingField(properties: ReadonlyMap<string, string>): void {
  const fields = properties.get("hoodie.table.ordering.fields") ?? "";
  if (fields.includes(",")) refuse(`several ordering fields (${fields})`);
}

function refuse(found: string): never {
  throw new HudiError(
    "UNSUPPORTED",
    `cannot merge logs: found ${found}, expected ${BY_EVENT_TIME.join(", ")} or ${LATEST}; compact the table with the engine that wrote it`,
  );
}
