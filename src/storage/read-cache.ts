// Keeps small ranges that were read lately, so that finding keys in a file and then merging into it
// fetches it once. Data files never change, so nothing is ever stale.
import type { ByteRange, Storage, StorageOptions } from "./storage.ts";

const MAX_ENTRY_BYTES = 8 * 1024 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;

/** `slice` of a Node buffer would be a view, which dies with the buffer it looks at. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}

/** The same storage; `readRange` of the same range of a data file is answered from memory. */
export function withReadCache(storage: Storage): Storage {
  const kept = new Map<string, Uint8Array>();
  let keptBytes = 0;
  const keep = (key: string, bytes: Uint8Array): void => {
    keptBytes += bytes.length - (kept.get(key)?.length ?? 0);
    kept.set(key, bytes);
    for (const [oldest, old] of kept) {
      if (keptBytes <= MAX_BYTES) break;
      kept.delete(oldest);
      keptBytes -= old.length;
    }
  };
  const readRange = async (
    path: string,
    range: ByteRange,
    options?: StorageOptions,
  ): Promise<Uint8Array> => {
    const key = `${path}\n${range.start}\n${range.end}`;
    const known = kept.get(key);
    // A copy, because whoever reads owns the bytes and may hand them to another thread.
    if (known) return copyOf(known);
    const bytes = await storage.readRange(path, range, options);
    if (bytes.length <= MAX_ENTRY_BYTES && path.endsWith(".parquet")) keep(key, copyOf(bytes));
    return bytes;
  };
  return {
    location: storage.location,
    leaseKind: storage.leaseKind,
    localFolder: storage.localFolder,
    readRange,
    read: (...args) => storage.read(...args),
    findObject: (...args) => storage.findObject(...args),
    list: (...args) => storage.list(...args),
    listFolder: (...args) => storage.listFolder(...args),
    put: (...args) => storage.put(...args),
    createIfAbsent: (...args) => storage.createIfAbsent(...args),
    replaceIfUnchanged: (...args) => storage.replaceIfUnchanged(...args),
    createWriter: (...args) => storage.createWriter(...args),
    delete: (...args) => storage.delete(...args),
    loadWriteId: (...args) => storage.loadWriteId(...args),
    probeConditionalWrites: (...args) => storage.probeConditionalWrites(...args),
    close: () => storage.close(),
  };
}
