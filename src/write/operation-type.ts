// The kinds of writes: what Hudi calls each, and in what they differ.
// Rules: spec/protocol/commit.md TX-16, spec/format/indexing.md IX-4.
import type { TableConfig } from "../layout/table-config.ts";
import type { Action } from "../timeline/instant.ts";

/** Hudi's name of what a write does. */
export type OperationType =
  | "UPSERT"
  | "INSERT"
  | "BULK_INSERT"
  | "DELETE"
  | "INSERT_OVERWRITE"
  | "INSERT_OVERWRITE_TABLE"
  | "DELETE_PARTITION"
  | "ALTER_SCHEMA";

/** In what operations differ. */
export interface OperationTraits {
  /** That of a copy-on-write table. */
  readonly action: Action & ("commit" | "replacecommit");
  /** Whether the file groups that hold the keys are looked for. */
  readonly looksUp: boolean;
  /** Whether new rows go into small files first. */
  readonly fillsSmallFiles: boolean;
}

const REPLACING = { action: "replacecommit", looksUp: false, fillsSmallFiles: false } as const;
const TRAITS: Readonly<Record<OperationType, OperationTraits>> = {
  UPSERT: { action: "commit", looksUp: true, fillsSmallFiles: true },
  DELETE: { action: "commit", looksUp: true, fillsSmallFiles: true },
  INSERT: { action: "commit", looksUp: false, fillsSmallFiles: true },
  BULK_INSERT: { action: "commit", looksUp: false, fillsSmallFiles: false },
  INSERT_OVERWRITE: REPLACING,
  INSERT_OVERWRITE_TABLE: REPLACING,
  DELETE_PARTITION: REPLACING,
  ALTER_SCHEMA: { action: "commit", looksUp: false, fillsSmallFiles: false },
};

/** The action that an operation is on the timeline of a table. */
export function operationAction(
  operation: OperationType,
  type: TableConfig["type"],
): "commit" | "deltacommit" | "replacecommit" {
  const { action } = TRAITS[operation];
  return action === "commit" && type === "merge-on-read" ? "deltacommit" : action;
}

/** The traits of an operation. */
export function operationTraits(operation: OperationType): OperationTraits {
  return TRAITS[operation];
}
