// Which blocks of the logs of a slice count, in which order.
import { describe, expect, test } from "vitest";
import { compareLogFiles, findLogFile, type LogFile } from "../../src/file-group/log-file.ts";
import { type LogScan, scanLogFiles } from "../../src/file-group/log-scan.ts";
import {
  encodeLogBlock,
  type LogHeaderKey,
  type NewLogBlock,
  rollbackCommand,
} from "../../src/format/log-block.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";

const time = (n: number): string => `2026010100000${String(n).padStart(4, "0")}`;

function data(n: number, more: readonly (readonly [LogHeaderKey, string])[] = []): NewLogBlock {
  const header = new Map<LogHeaderKey, string>([["instant", time(n)], ...more]);
  return { type: "avro", header, content: [Uint8Array.of(n)] };
}

const pathOf = (version: number, token = "0-1-1"): string =>
  `p/.group-0_${time(0)}.log.${version}_${token}`;

/** Writes each list of blocks as one log, and scans them. */
async function scan(
  files: readonly (readonly (NewLogBlock | Uint8Array)[])[],
  isVisible: (instant: string) => boolean = () => true,
): Promise<LogScan> {
  const storage = new MemoryStorage();
  const found: LogFile[] = [];
  for (const [index, blocks] of files.entries()) {
    const parts = blocks.flatMap((block) => ("type" in block ? encodeLogBlock(block) : [block]));
    const bytes = new Uint8Array(Buffer.concat(parts));
    await storage.put(pathOf(index + 1), bytes);
    found.push(findLogFile(pathOf(index + 1), bytes.length) as LogFile);
  }
  return scanLogFiles(storage, found.reverse(), { isVisible });
}

async function contentsOf({ blocks }: LogScan): Promise<number[]> {
  const contents = await Promise.all(blocks.map(({ block }) => block.readContent()));
  return contents.map(([first]) => first as number);
}

test("logs are read by their versions as numbers, then by their write tokens (LOG-11)", async () => {
  const names = [pathOf(10), pathOf(2, "0-1-2"), pathOf(2), pathOf(1)];
  const files = names.map((name) => findLogFile(name, 1) as LogFile).sort(compareLogFiles);
  expect(files.map(({ path }) => path)).toEqual([...names].reverse());
  expect(findLogFile("p/group-0_0-1-1_20260101000000000.parquet", 1)).toBeUndefined();
  expect(await contentsOf(await scan([[data(1), data(2)], [data(3)]]))).toEqual([1, 2, 3]);
});

test("blocks of pending and later writes are passed over, those after them are not (LOG-12)", async () => {
  const isVisible = (instant: string): boolean => instant !== time(2) && instant < time(9);
  const found = await scan([[data(1)], [data(2)], [data(9)], [data(3)]], isVisible);
  expect(await contentsOf(found)).toEqual([1, 3]);
  expect(found.blocks.map(({ instant }) => instant)).toEqual([time(1), time(3)]);
});

describe("a rollback", () => {
  const undo = (n: number): NewLogBlock => rollbackCommand(time(n + 1), time(n));

  test("takes every block of its target off the end, also of several logs (LOG-13)", async () => {
    const found = await scan([[data(1)], [data(2), data(2)], [data(2)], [undo(2)], [data(4)]]);
    expect(await contentsOf(found)).toEqual([1, 4]);
  });

  test("that meets no block of its target does nothing (LOG-13)", async () => {
    expect(await contentsOf(await scan([[data(1)], [undo(5)], [data(2)], [undo(1)]]))).toEqual([
      1, 2,
    ]);
  });

  test("of another command is refused by name (LOG-13)", async () => {
    const other = { ...undo(1), header: new Map([...undo(1).header, ["command", "7"] as const]) };
    await expect(scan([[data(1)], [other]])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      path: pathOf(2),
    });
  });
});

test("compacted blocks stand where the newest of theirs stood, through several steps (LOG-14)", async () => {
  const compact = (n: number, ...of: number[]): NewLogBlock =>
    data(n, [["compacted-instants", of.map(time).join(",")]]);
  const once = [[data(1)], [data(2)], [data(3)], [compact(4, 1, 2)], [data(5)]];
  expect(await contentsOf(await scan(once))).toEqual([4, 3, 5]);
  const twice = [...once, [compact(6, 4, 3)]];
  expect(await contentsOf(await scan(twice))).toEqual([6, 5]);
});

test("corrupt ranges are told, and a block without an instant is damage (LOG-5, LOG-6)", async () => {
  const junk = new Uint8Array(Buffer.concat(encodeLogBlock(data(1)))).slice(0, 20);
  const found = await scan([[data(1), junk, data(2)]]);
  expect(found.corrupt).toEqual([{ path: pathOf(1), offset: expect.any(Number), sizeBytes: 20 }]);
  expect(await contentsOf(found)).toEqual([1, 2]);
  const bare: NewLogBlock = { type: "avro", header: new Map(), content: [] };
  await expect(scan([[bare]])).rejects.toMatchObject({ code: "CORRUPT", path: pathOf(1) });
});
