// JSON from storage, parsed only after a scan of its bytes has bounded what it can cost.
// Rules: spec/format/commit-metadata.md CM-8.
import { HudiError } from "../errors.ts";

const MAX_JSON_BYTES = 256 * 1024 * 1024;
const MAX_JSON_DEPTH = 64;
const MAX_JSON_VALUES = 16 * 1024 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Parses the JSON of the file `path`. Throws `CORRUPT` for text that is no JSON or no UTF-8, that
 * nests deeper than 64 levels, or that is larger than 256 MiB or 16 million values.
 */
export function parseBoundedJson(bytes: Uint8Array, path: string): unknown {
  if (bytes.length > MAX_JSON_BYTES) {
    throw refuse(path, `found ${bytes.length} bytes of JSON, expected at most ${MAX_JSON_BYTES}`);
  }
  requireBounded(bytes, path);
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw refuse(path, `found no valid JSON (${(cause as Error).message.slice(0, 200)})`, cause);
  }
}

function requireBounded(bytes: Uint8Array, path: string): void {
  let depth = 0;
  let values = 1;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) at = findStringEnd(bytes, at + 1);
    else if (byte === COMMA) values += 1;
    // Of all bytes that JSON has outside strings, only these four differ from [ and ] in bit 5 alone.
    else if ((byte | 0x20) === 0x7b) {
      depth += 1;
      values += 1;
      if (depth > MAX_JSON_DEPTH) {
        throw refuse(path, `found JSON nested deeper than ${MAX_JSON_DEPTH} levels at byte ${at}`);
      }
    } else if ((byte | 0x20) === 0x7d) depth -= 1;
  }
  if (values > MAX_JSON_VALUES) {
    throw refuse(path, `found ${values} values in JSON, expected at most ${MAX_JSON_VALUES}`);
  }
}

function findStringEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

function refuse(path: string, found: string, cause?: unknown): HudiError {
  return new HudiError("CORRUPT", `cannot read ${path}: ${found}`, { path, cause });
}
