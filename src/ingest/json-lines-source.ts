// Records from files of JSON lines, gzipped or not: captures, exports, tests.
// Rules: spec/protocol/ingest.md, ING-1 and ING-2.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { HudiError } from "../errors.ts";
import { type Checkpoint, isOffset, nextOffset } from "./checkpoint.ts";
import { describeJson, type JsonValue, mayBeRounded, parseExactJson } from "./exact-json.ts";
import { splitJsonMembers } from "./json-members.ts";
import type { RecordHeader, RecordSource, SourceRecord } from "./record-source.ts";

const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * A topic kept as lines `{"topic", "partition", "offset", "key", "value", "headers"?, "timestamp"?}`,
 * in one or several files that are read one after the other. Reading throws `NOT_FOUND` for a file
 * that is not there and `INVALID`, naming file and line, for anything that is no record.
 */
export class JsonLinesSource implements RecordSource {
  readonly #paths: readonly string[];

  constructor(paths: string | readonly string[]) {
    this.#paths = typeof paths === "string" ? [paths] : paths;
  }

  async *read(
    start: Checkpoint,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<SourceRecord> {
    for (const path of this.#paths) {
      let line = 0;
      for await (const bytes of readLines(path, options.signal)) {
        line += 1;
        if (bytes.length === 0) continue;
        const record = parseLine(bytes, `line ${line} of ${path}`);
        if (record.offset >= nextOffset(start, record.topic, record.partition)) yield record;
      }
    }
  }
}

async function* readLines(
  path: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const held: Buffer[] = [];
  let heldBytes = 0;
  let count = 0;
  const stream = await openStream(path);
  const take = (rest: Buffer): Buffer => {
    const line = held.length === 0 ? rest : Buffer.concat([...held, rest]);
    held.length = 0;
    heldBytes = 0;
    count += 1;
    return line;
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      let from = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
        yield take(chunk.subarray(from, end));
        from = end + 1;
      }
      if (from === chunk.length) continue;
      held.push(chunk.subarray(from));
      heldBytes += chunk.length - from;
      if (heldBytes > MAX_LINE_BYTES) {
        throw new HudiError(
          "INVALID",
          `cannot read line ${count + 1} of ${path}: it is longer than 64 MiB, expected one record a line`,
        );
      }
    }
  } catch (error) {
    if (error instanceof HudiError || signal?.aborted) throw error;
    throw new HudiError(
      "INVALID",
      `cannot read ${path} behind line ${count}: ${describeCause(error)}, expected a whole file`,
      { path, cause: error },
    );
  } finally {
    stream.destroy();
  }
  if (heldBytes > 0) yield take(Buffer.alloc(0));
}

async function openStream(path: string): Promise<Readable> {
  const head = Buffer.alloc(2);
  try {
    const file = await open(path);
    try {
      await file.read(head, 0, 2, 0);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new HudiError(
      "NOT_FOUND",
      `cannot read ${path}: ${describeCause(cause)}, expected a file`,
      {
        path,
        cause,
      },
    );
  }
  const stream = createReadStream(path);
  if (head[0] !== 0x1f || head[1] !== 0x8b) return stream;
  const gunzip = createGunzip();
  // A failed read ends the unpacking with the same error; its end takes the file along.
  stream.on("error", (error) => gunzip.destroy(error));
  gunzip.on("close", () => stream.destroy());
  return stream.pipe(gunzip);
}

function describeCause(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === "string" ? code : String(message).slice(0, 100);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function parseLine(bytes: Uint8Array, place: string): SourceRecord {
  const members = parsed(() => splitJsonMembers(utf8.decode(bytes)), place);
  const topic = parseMember(members, "topic", place);
  const partition = parseMember(members, "partition", place);
  const offset = parseMember(members, "offset", place);
  const timestamp = parseMember(members, "timestamp", place) ?? undefined;
  if (typeof topic !== "string" || topic === "") throw refuse(place, "topic", topic, "a text");
  if (!isCount(partition)) throw refuse(place, "partition", partition, "a number from 0 on");
  const exactOffset = Number.isSafeInteger(offset) ? BigInt(offset as number) : offset;
  if (typeof exactOffset !== "bigint" || !isOffset(exactOffset)) {
    throw refuse(place, "offset", offset, "an integer from 0 on");
  }
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp)) {
    throw refuse(place, "timestamp", timestamp, "milliseconds");
  }
  if (!members.has("key") && !members.has("value")) throw refuse(place, "value", undefined, "JSON");
  return {
    topic,
    partition,
    offset: exactOffset,
    key: rawMember(members, "key"),
    value: rawMember(members, "value"),
    headers: readHeaders(members.get("headers"), place),
    timestampMs: timestamp as number | undefined,
  };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function rawMember(members: ReadonlyMap<string, string>, name: string): string | null {
  const text = members.get(name);
  return text === undefined || text === "null" ? null : text;
}

const NO_HEADERS: readonly RecordHeader[] = [];

function readHeaders(text: string | undefined, place: string): readonly RecordHeader[] {
  if (text === undefined || text === "null") return NO_HEADERS;
  const members = parsed(() => splitJsonMembers(text), place);
  return Array.from(members, ([name, value]) => ({ name, value: value === "null" ? null : value }));
}

function parseMember(
  members: ReadonlyMap<string, string>,
  name: string,
  place: string,
): JsonValue | undefined {
  const text = members.get(name);
  if (text === undefined) return undefined;
  const value = parsed(() => JSON.parse(text) as JsonValue, place);
  return mayBeRounded(value) ? parsed(() => parseExactJson(text), place) : value;
}

function parsed<T>(parse: () => T, place: string): T {
  try {
    return parse();
  } catch (cause) {
    const fact = cause instanceof TypeError ? "it is no UTF-8" : "it is no JSON object";
    throw new HudiError("INVALID", `cannot read ${place}: ${fact}, expected one record a line`, {
      cause,
    });
  }
}

function refuse(place: string, member: string, value: unknown, expected: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot read ${place}: ${member} is ${describeJson(value)}, expected ${expected}`,
  );
}
