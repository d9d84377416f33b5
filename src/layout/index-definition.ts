// The index that a caller asks for, checked. Rules: spec/format/indexing.md, IX-1, IX-6 and IX-8.
import { HudiError } from "../errors.ts";
import type { IndexConfig } from "./table-config.ts";

/** How rows are found by key. */
export type IndexDefinition =
  | { readonly kind: "bloom" | "simple" }
  | {
      /** A key stands once in the whole table, in whatever partition. */
      readonly kind: "global-bloom" | "global-simple";
      /** Whether a key that comes with another partition moves there; default true. */
      readonly updatePartitionPath?: boolean | undefined;
    }
  | {
      /** The hash of a key names its file group: nothing is looked up. */
      readonly kind: "bucket";
      /** File groups of each partition, 1 to 100,000; never changes. */
      readonly buckets: number;
    };

const MOST_BUCKETS = 100_000;

/** The settings of an index. Throws `INVALID` or `UNSUPPORTED` naming what is wrong. */
export function defineIndex(table: string, index: IndexDefinition): IndexConfig {
  switch (index.kind) {
    case "bloom":
    case "simple":
      return { kind: index.kind };
    case "global-bloom":
    case "global-simple": {
      const { kind, updatePartitionPath = true } = index;
      if (typeof updatePartitionPath === "boolean") return { kind, updatePartitionPath };
      throw invalid(
        table,
        `updatePartitionPath is ${typeof updatePartitionPath}, expected a boolean`,
      );
    }
    case "bucket": {
      const { kind, buckets } = index;
      const isNumber = Number.isInteger(buckets) && buckets >= 1 && buckets <= MOST_BUCKETS;
      if (isNumber) return { kind, buckets };
      throw invalid(table, `found ${String(buckets)} buckets, expected 1 to ${MOST_BUCKETS}`);
    }
    default:
      throw new HudiError(
        "UNSUPPORTED",
        `cannot create table ${table}: found index ${String((index as { kind: unknown }).kind)}, expected bloom, simple, global-bloom, global-simple or bucket`,
      );
  }
}

function invalid(table: string, fact: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot create table ${table}: index has wrong settings, ${fact}`,
  );
}
