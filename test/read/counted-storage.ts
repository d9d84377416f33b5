// A storage that tells what was asked of it: ranges that were read, folders that were listed.
import type { Storage } from "../../src/storage/storage.ts";

/** A part of an object that was read. */
export interface ReadRange {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

/** A storage with a record of the calls on it. */
export interface CountedStorage {
  readonly storage: Storage;
  /** Ranges read so far; emptied by who looks at them. */
  readonly ranges: ReadRange[];
  /** Folders listed so far. */
  readonly listed: string[];
  /** Objects read whole. */
  readonly read: string[];
  /** Awaited before each range is read. */
  beforeRange: (range: ReadRange) => Promise<void> | void;
}

/** Wraps a storage. */
export function countCalls(inner: Storage): CountedStorage {
  const counted: CountedStorage = {
    ranges: [],
    listed: [],
    read: [],
    beforeRange: () => {},
    storage: new Proxy(inner, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        if (name === "createWriter") return value.bind(target);
        return async (...args: unknown[]): Promise<unknown> => {
          if (name === "readRange") {
            const [path, { start, end }] = args as [string, { start: number; end: number }];
            counted.ranges.push({ path, start, end });
            await counted.beforeRange({ path, start, end });
          }
          if (name === "listFolder" || name === "list") counted.listed.push(args[0] as string);
          if (name === "read") counted.read.push(args[0] as string);
          return Reflect.apply(value, target, args);
        };
      },
    }),
  };
  return counted;
}
