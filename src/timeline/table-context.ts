// TableContext: what an open table is made of. Hudi calls it the table meta client.
import type { TableConfig } from "../layout/table-config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Storage } from "../storage/storage.ts";

/** The parts that every operation on an open table shares. Settings are in `config`, parts beside it. */
export interface TableContext {
  readonly storage: Storage;
  readonly config: TableConfig;
  readonly runtime: Runtime;
}
