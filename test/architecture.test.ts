// The drawing of the house, held: who may import whom, which file owns a foreign library, and who
// may ask for time and randomness. The last block plants violations, so that the guard is seen to bite.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, expect, test } from "vitest";

/** Lowest first. A module may import from its own floor and from any floor below. */
const FLOORS: readonly (readonly string[])[] = [
  ["kernel"],
  ["errors.ts", "runtime"],
  ["storage"],
  ["format"],
  ["layout"],
  ["timeline"],
  ["file-group"],
  ["indexing"],
  ["write", "read"],
  ["services"],
  ["table-options.ts"],
  ["hudi-table.ts"],
  ["index.ts", "ingest"],
  ["cli"],
];
/** Rooms of one floor that may not know each other. */
const APART: readonly (readonly [string, string])[] = [
  ["write", "read"],
  ["services", "read"],
];
/** The files that may import a foreign library. */
const IMPORTERS: Readonly<Record<string, RegExp>> = {
  hysnappy: /^format\/parquet-compression/,
  "apache-arrow": /^(format\/arrow-|read\/scan|write\/row-source|cli\/)/,
  "@aws-sdk/client-s3": /^storage\/s3-/,
  "p-limit": /^(runtime\/concurrency|storage\/)/,
  commander: /^cli\//,
};
const AMBIENT =
  /\b(Date\.now|new Date\(\)|Math\.random|randomUUID|setTimeout|setInterval|performance\.now)\b/;
const CODE_FROM_DATA = /\beval\(|new Function\b|node:vm/;

const src = join(import.meta.dirname, "../src");

interface Finding {
  readonly rule: string;
  readonly detail: string;
}

function room(path: string): string {
  return path.split("/")[0] as string;
}

function floor(path: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room(path)));
}

/** What a module breaks. */
function inspect(path: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const add = (rule: string, detail: string): void => void findings.push({ rule, detail });
  const code = text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "$1");
  if (floor(path) < 0) add("stands on a listed floor", path);
  const imports = [...code.matchAll(/\b(?:from|import)[\s(]*"([^"]+)"/g)].map(
    (m) => m[1] as string,
  );
  for (const specifier of imports) {
    if (specifier.startsWith(".")) {
      const target = posix.normalize(posix.join(dirname(path), specifier));
      if (isKernel(path) !== isKernel(target)) add("the kernel is imported compiled", target);
      if (floor(target) > floor(path)) add("imports downwards", target);
      const crosses = APART.some(
        (pair) =>
          room(path) !== room(target) && pair.includes(room(path)) && pair.includes(room(target)),
      );
      if (crosses) add("siblings stay apart", target);
      if (target === "index.ts") add("nobody imports the barrel", target);
    } else if (!specifier.startsWith("node:")) {
      if (!IMPORTERS[specifier]?.test(path)) add("foreign libraries have few importers", specifier);
    }
  }
  if (room(path) !== "runtime" && AMBIENT.test(code)) {
    add("asks runtime for time and randomness", AMBIENT.exec(code)?.[0] as string);
  }
  if (CODE_FROM_DATA.test(code)) add("makes no code from data", path);
  if (text.split("\n").length > 401) add("stays under 400 lines", path);
  return findings;
}

const paths = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts"));
/** Sources of WebAssembly, which modules of Node import only compiled. */
const isKernel = (path: string): boolean => room(path) === "kernel";

describe("the layers of src/", () => {
  test("there are modules to look at", () => expect(paths.length).toBeGreaterThan(40));
  test.each(paths)("%s keeps the rules of the house", (path) => {
    expect(inspect(path, readFileSync(join(src, path), "utf8"))).toEqual([]);
  });
});

describe("the guard itself", () => {
  const planted: readonly (readonly [string, string, string])[] = [
    ["imports downwards", "storage/x.ts", 'import { a } from "../format/schema.ts";'],
    ["imports downwards", "timeline/x.ts", 'export * from "../file-group/file-slice.ts";'],
    ["siblings stay apart", "read/x.ts", 'import type { A } from "../write/transaction.ts";'],
    ["siblings stay apart", "write/x.ts", 'const a = await import("../read/scan.ts");'],
    ["stands on a listed floor", "utils/x.ts", ""],
    [
      "foreign libraries have few importers",
      "write/x.ts",
      'import { snappyCompress } from "hysnappy";',
    ],
    ["foreign libraries have few importers", "storage/x.ts", 'import left from "left-pad";'],
    ["asks runtime for time and randomness", "write/x.ts", "const now = Date.now();"],
    ["asks runtime for time and randomness", "read/x.ts", "setTimeout(run, 5);"],
    ["makes no code from data", "format/x.ts", 'new Function("a", body)'],
    ["nobody imports the barrel", "cli/x.ts", 'import { HudiTable } from "../index.ts";'],
    ["the kernel is imported compiled", "format/x.ts", 'import { a } from "../kernel/texts.ts";'],
    ["stays under 400 lines", "read/x.ts", "\n".repeat(401)],
  ];
  test.each(planted)("finds a breach of: %s (%s)", (rule, path, text) => {
    expect(inspect(path, text).map((finding) => finding.rule)).toContain(rule);
  });
  test("lets a clean module pass", () => {
    expect(inspect("write/x.ts", 'import { a } from "../format/schema.ts";')).toEqual([]);
  });
});
