// Properties of the key generator and the index that a table's own properties lack. Rules:
// spec/format/record-key.md RK-19, spec/format/indexing.md IX-10.
import { HudiError } from "../errors.ts";
import {
  COMPLEX_KEY_ENCODING,
  LOGICAL_TIMESTAMPS,
  PARTITION_KINDS,
  parseKeyGenerator,
} from "./key-generator.ts";
import { INDEX_PROPERTIES, parseHashFields, parseIndex, type TableConfig } from "./table-config.ts";

const KNOWN: ReadonlySet<string> = new Set([
  COMPLEX_KEY_ENCODING,
  LOGICAL_TIMESTAMPS,
  PARTITION_KINDS,
  ...INDEX_PROPERTIES,
]);
const TIMEBASED = /^hoodie\.(deltastreamer\.)?keygen\.timebased\./;

/**
 * The settings of a table with properties added that a caller gives on opening it. Throws `INVALID`
 * for those that are no settings of keys or of the index, and for those that the table has otherwise.
 */
export function addKeyProperties(
  config: TableConfig,
  added: Readonly<Record<string, string>>,
): TableConfig {
  const properties = new Map(config.properties);
  for (const [key, value] of Object.entries(added)) {
    if ((!KNOWN.has(key) && !TIMEBASED.test(key)) || typeof value !== "string") {
      const expected = [...KNOWN, "hoodie.keygen.timebased.*"].join(", ");
      throw invalid(config, `found property ${key}, expected texts under ${expected}`);
    }
    const own = properties.get(key);
    if (own !== undefined && own !== value) {
      throw invalid(config, `property ${key} is ${own} in the table, found ${value}`);
    }
    properties.set(key, value);
  }
  const stored = (properties.get("hoodie.table.partition.fields") ?? "").split(",");
  const { version, recordKeyFields } = config;
  const partitionFields = stored.map((field) => field.trim()).filter((field) => field !== "");
  const columns = { version, recordKeyFields, partitionFields };
  return {
    ...config,
    properties,
    keyGenerator: parseKeyGenerator(properties, columns),
    index: parseIndex(properties),
    bucketHashFields: parseHashFields(properties),
  };
}

function invalid({ name }: TableConfig, fact: string): HudiError {
  return new HudiError("INVALID", `cannot open table ${name}: ${fact}`);
}
