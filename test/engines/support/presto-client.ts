// The HTTP client protocol of Presto, which Trino speaks under other header names: one statement in,
// typed rows out, no digit lost.

import { setTimeout as sleep } from "node:timers/promises";

import type { EngineRow, EngineValue } from "./engine-rows.ts";

/** A column of an answer with Presto's name of its type, for example `decimal(9,2)`. */
export interface PrestoColumn {
  readonly name: string;
  readonly type: string;
}

/** The answer to a statement. */
export interface PrestoAnswer {
  readonly columns: readonly PrestoColumn[];
  readonly rows: EngineRow[];
}

/** A statement that Presto refused or could not finish. */
export class PrestoError extends Error {
  override readonly name = "PrestoError";
  /** Presto's name of the error, for example `HUDI_CANNOT_OPEN_SPLIT`. */
  readonly errorName: string;
  /** Java's classes, messages and frames, outermost first. */
  readonly details: string;

  constructor(message: string, errorName: string, details: string) {
    super(message);
    this.errorName = errorName;
    this.details = details;
  }
}

/** Who is spoken to, and where names without a catalog or schema are looked up. */
export interface PrestoSession {
  readonly dialect: "Presto" | "Trino";
  readonly catalog: string;
  readonly schema: string;
}

interface Failure {
  readonly type?: string;
  readonly message?: string;
  readonly stack?: readonly string[];
  readonly cause?: Failure;
}

interface Page {
  readonly nextUri?: string;
  readonly columns?: readonly PrestoColumn[];
  readonly data?: readonly (readonly unknown[])[];
  readonly error?: {
    readonly message: string;
    readonly errorName: string;
    readonly failureInfo?: Failure;
  };
}

/** Runs one statement to its end; raises `PrestoError` when Presto reports a failure. */
export async function runPrestoStatement(
  url: string,
  sql: string,
  session: PrestoSession,
): Promise<PrestoAnswer> {
  let columns: readonly PrestoColumn[] = [];
  const rows: EngineRow[] = [];
  let page = await fetchPage(`${url}/v1/statement`, {
    method: "POST",
    body: sql,
    headers: {
      [`X-${session.dialect}-User`]: "hudi-lake",
      [`X-${session.dialect}-Catalog`]: session.catalog,
      [`X-${session.dialect}-Schema`]: session.schema,
      // A timestamp is an instant that Presto prints in the session's zone; only UTC is unambiguous.
      [`X-${session.dialect}-Time-Zone`]: "UTC",
      // To a client that does not say so Trino gives timestamps rounded to milliseconds.
      "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
    },
  });
  for (;;) {
    if (page.error !== undefined) {
      const { message, errorName, failureInfo } = page.error;
      throw new PrestoError(message, errorName, formatFailure(failureInfo));
    }
    columns = page.columns ?? columns;
    for (const values of page.data ?? []) rows.push(decodeRow(columns, values));
    if (page.nextUri === undefined) return { columns, rows };
    page = await fetchPage(page.nextUri, {});
  }
}

/**
 * What Presto makes of a timestamp: microseconds since the epoch, cut to whole milliseconds towards
 * zero (so a value before 1970 is moved forwards).
 */
export function truncateToPrestoMicros(micros: bigint): bigint {
  return (micros / 1000n) * 1000n;
}

async function fetchPage(url: string, init: RequestInit): Promise<Page> {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url, init);
    const text = await response.text();
    if (response.ok) return parsePage(text);
    // The protocol asks for another try on 503; anything else is final.
    if (response.status !== 503 || attempt === 100) {
      throw new PrestoError(text.slice(0, 500), `HTTP_${response.status}`, "");
    }
    await sleep(100);
  }
}

// A bigint arrives as a JSON number; beyond 2^53 only its source text is exact.
function parsePage(text: string): Page {
  const revive = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
  return JSON.parse(text, revive) as Page;
}

function decodeRow(columns: readonly PrestoColumn[], values: readonly unknown[]): EngineRow {
  return Object.fromEntries(
    columns.map(({ name, type }, index) => [name, decodeValue(name, type, values[index] ?? null)]),
  );
}

function decodeValue(name: string, type: string, value: unknown): EngineValue {
  if (value === null) return null;
  switch (type.replace(/\(.*/, "")) {
    case "boolean":
      return value === true;
    case "tinyint":
    case "smallint":
    case "integer":
      return Number(value);
    case "bigint":
      return BigInt(value as number | string);
    case "real":
    case "double":
      return /^(NaN|-?Infinity)$/.test(String(value)) ? String(value) : Number(value);
    case "timestamp":
      return parseTimestamp(String(value));
    case "char":
    case "date":
    case "decimal":
    case "varbinary":
    case "varchar":
      return String(value);
    case "array":
    case "map":
    case "row":
      return formatPrestoNested(type, value);
    default:
      throw new Error(`cannot decode column ${name}: Presto's type ${type} is not known`);
  }
}

/** The text of a nested value (nested-text.ts): a row of Presto is a list in the order of its fields. */
function formatPrestoNested(type: string, given: unknown): string {
  if (given === null || given === undefined) return "null";
  const [, kind = type, inside = ""] = /^(array|map|row)\((.*)\)$/s.exec(type) ?? [];
  // Nested values arrive as JSON within the JSON.
  const value = kind !== type && typeof given === "string" ? JSON.parse(given) : given;
  if (kind === "array") {
    return `[${(value as unknown[]).map((item) => formatPrestoNested(inside, item)).join(",")}]`;
  }
  if (kind === "map") {
    const [, item = ""] = splitPrestoTypes(inside);
    const object = value as Record<string, unknown>;
    const keys = Object.keys(object).sort();
    const parts = keys.map(
      (key) => `${JSON.stringify(key)}:${formatPrestoNested(item, object[key])}`,
    );
    return `{${parts.join(",")}}`;
  }
  if (kind === "row") {
    const parts = splitPrestoTypes(inside).map((part, index) => {
      const [, name = "", item = ""] = /^"?([^" ]+)"? (.*)$/s.exec(part) ?? [];
      return `${JSON.stringify(name)}:${formatPrestoNested(item, (value as unknown[])[index])}`;
    });
    return `{${parts.join(",")}}`;
  }
  const leaf = decodeValue("nested", type, value);
  return typeof leaf === "string" ? JSON.stringify(leaf) : String(leaf);
}

/** The types between the commas that stand in no brackets. */
function splitPrestoTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const char = text[at];
    if (char === "(") depth += 1;
    else if (char === ")") depth -= 1;
    else if (char === undefined || (char === "," && depth === 0)) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts;
}

function parseTimestamp(text: string): bigint {
  // Presto gives three digits of a second, Trino as many as the type of the column has.
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\.(\d{3}|\d{6})(?:000)?$/.exec(text);
  const [, date, time, fraction = ""] = match ?? [];
  const seconds = Date.parse(`${date}T${time}Z`) / 1000;
  if (Number.isNaN(seconds)) throw new Error(`cannot parse the timestamp ${text}`);
  return BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
}

function formatFailure(failure: Failure | undefined): string {
  const links: string[] = [];
  for (let link = failure; link !== undefined; link = link.cause) {
    links.push([`${link.type}: ${link.message}`, ...(link.stack ?? []).slice(0, 15)].join("\n  "));
  }
  return links.join("\ncaused by ");
}
