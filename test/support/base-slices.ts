// The file slices of a table whose groups all have base files.
import {
  type BaseFileSlice,
  type FileSlice,
  hasBaseFile,
} from "../../src/file-group/file-slice.ts";

/** The slices with their base files; fails where one has none. */
export async function baseSlices(table: {
  files(): Promise<readonly FileSlice[]>;
}): Promise<readonly BaseFileSlice[]> {
  return (await table.files()).map((slice) => {
    if (hasBaseFile(slice)) return slice;
    throw new Error(`file group ${slice.fileId} has no base file`);
  });
}
