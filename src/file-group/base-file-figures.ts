// Numbers of one base file, out of its footer.
import type { Storage } from "../storage/storage.ts";
import { type BaseFileRef, openBaseFile } from "./base-file.ts";
import { dataBytes } from "./base-file-keys.ts";

/** Numbers that the footer of a base file gives. */
export interface BaseFileFigures {
  readonly rowCount: number;
  /** Bytes of its row groups, without the footer. */
  readonly dataBytes: number;
}

/** Reads the footer and no more. */
export async function loadBaseFileFigures(
  storage: Storage,
  file: BaseFileRef,
  signal?: AbortSignal,
): Promise<BaseFileFigures> {
  const reader = await openBaseFile(storage, file, { signal });
  return { rowCount: reader.rowCount, dataBytes: dataBytes(reader) };
}
