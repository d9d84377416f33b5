// What a storage path may look like, its order, and the one folder that a storage keeps for itself.
// Rules: spec/protocol/storage.md, ST-1, ST-2 and ST-4.
import { HudiError } from "../errors.ts";

/**
 * Where a storage keeps what is not yet, or never will be, an object: temporary files, claims,
 * probes. It lies below `.hoodie`, which no engine searches for data, and on the file system of the
 * table, because a link or rename does not cross file systems. Callers cannot name or list it.
 */
export const STAGING_FOLDER = ".hoodie/.hudi-lake";

/**
 * Checks a path before it reaches a store and returns it: segments parted by `/`, none of them
 * empty, `.` or `..`; no backslash, no NUL, well-formed Unicode, not in the staging folder.
 * Throws `INVALID`.
 */
export function requireStoragePath(path: string): string {
  const fault = findPathFault(path);
  if (fault !== undefined) {
    throw new HudiError(
      "INVALID",
      `cannot use storage path ${JSON.stringify(path)}: ${fault}, expected names parted by single slashes`,
      { path },
    );
  }
  return path;
}

/** Checks the path of a folder; the empty path is the root of the storage. */
export function requireFolderPath(folder: string): string {
  return folder === "" ? folder : requireStoragePath(folder);
}

function findPathFault(path: string): string | undefined {
  if (typeof path !== "string") return "it is no string";
  if (path === "") return "it is empty";
  if (path.startsWith("/")) return "it is absolute";
  if (path.includes("\\")) return "it contains a backslash";
  if (path.includes("\0")) return "it contains a NUL character";
  if (/\p{Surrogate}/u.test(path)) return "it is no well-formed Unicode";
  for (const segment of path.split("/")) {
    if (segment === "") return "it contains an empty segment";
    if (segment === "." || segment === "..") return `it contains the segment ${segment}`;
  }
  if (isStagingPath(path)) return `${STAGING_FOLDER} belongs to the storage itself`;
  return undefined;
}

/** Whether a path is the staging folder or lies in it. */
export function isStagingPath(path: string): boolean {
  return path === STAGING_FOLDER || path.startsWith(`${STAGING_FOLDER}/`);
}

/** What the paths of everything below a folder begin with. */
export function folderPrefix(folder: string): string {
  return folder === "" ? "" : `${folder}/`;
}

/** The folder that a path lies in; empty for the root. */
export function parentFolder(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/**
 * Orders well-formed strings as their UTF-8 bytes, which is the order of S3. It differs from `<`
 * only where a character beyond U+FFFF meets one between U+E000 and U+FFFF.
 */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a === b) continue;
    const isSurrogateA = a >= 0xd800 && a <= 0xdfff;
    const isSurrogateB = b >= 0xd800 && b <= 0xdfff;
    if (isSurrogateA !== isSurrogateB) return isSurrogateA ? 1 : -1;
    return a - b;
  }
  return left.length - right.length;
}

/** Below these the order of UTF-16 units is that of UTF-8 bytes. */
const FROM_SURROGATES = /[\ud800-\uffff]/;

/** Sorts things with a path, in place. */
export function sortByPath<T extends { readonly path: string }>(items: T[]): T[] {
  if (items.some(({ path }) => FROM_SURROGATES.test(path))) {
    return items.sort((left, right) => compareUtf8(left.path, right.path));
  }
  return items.sort(({ path: a }, { path: b }) => (a < b ? -1 : a > b ? 1 : 0));
}
