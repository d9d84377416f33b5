// One line on a terminal that says how far the work is; on anything else nothing is written.
import type { CancelTimer } from "../runtime/clock.ts";
import type { ObjectWriter, PutOptions, Storage } from "../storage/storage.ts";
import type { LakeIo } from "./lake-io.ts";
import { terminalWidth } from "./lake-io.ts";

const REDRAW_MS = 100;
const CLEAR_LINE = "\r\u001b[K";

/** A line that redraws itself until it is stopped, and then is gone. */
export interface Progress {
  /** Removes the line; further output begins on an empty one. */
  stop(): void;
}

/** Whether progress is shown: on a terminal that does not show the results themselves. */
export function showsProgress(io: LakeIo): boolean {
  return io.stderr.isTTY === true;
}

/** Starts the line; `describe` is asked each time it is drawn. */
export function startProgress(io: LakeIo, describe: () => string): Progress {
  const { stderr, runtime } = io;
  if (!showsProgress(io)) return { stop: () => {} };
  let hasDrawn = false;
  const width = terminalWidth(stderr) ?? 80;
  const cancel: CancelTimer = runtime.clock.every(REDRAW_MS, () => {
    // A terminal that does not keep up misses a frame.
    if (stderr.writableNeedDrain) return;
    hasDrawn = true;
    stderr.write(`${CLEAR_LINE}${describe().slice(0, width - 1)}`);
  });
  return {
    stop() {
      cancel();
      if (hasDrawn) stderr.write(CLEAR_LINE);
      hasDrawn = false;
    },
  };
}

/** Data files that a write has finished. */
export interface FileCounter {
  files: number;
  bytes: number;
}

/** The same storage; every data file that is written through it is counted. */
export function countDataFiles(storage: Storage, counter: FileCounter): Storage {
  const createWriter = (path: string, options?: PutOptions): ObjectWriter => {
    const writer = storage.createWriter(path, options);
    if (!path.endsWith(".parquet")) return writer;
    return {
      write: (bytes) => writer.write(bytes),
      abort: () => writer.abort(),
      async close() {
        const closed = await writer.close();
        counter.files += 1;
        counter.bytes += closed.sizeBytes;
        return closed;
      },
    };
  };
  return new Proxy(storage, {
    get(target, name) {
      if (name === "createWriter") return createWriter;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
