// The README keeps its word: examples are type-checked, written in a syntax that the required Node
// runs, and the first one is run; files and folders that it names are there.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { typeCheck } from "./type-check.ts";

const root = join(import.meta.dirname, "..");
const text = readFileSync(join(root, "README.md"), "utf8");
const examples = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] as string);
const folder = mkdtempSync(join(tmpdir(), "hudi-lake-readme-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs Node on a file in the folder. */
function runNode(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const node = process.execPath;
  return spawnSync(node, ["--disable-warning=ExperimentalWarning", ...args], {
    cwd: folder,
    encoding: "utf8",
  });
}

/** An example as a file that imports the sources. */
function writeExample(index: number): string {
  const entry = pathToFileURL(join(root, "src/index.ts")).href;
  const path = join(folder, `example-${index}.ts`);
  writeFileSync(path, (examples[index] as string).replaceAll('"hudi-lake"', JSON.stringify(entry)));
  return path;
}

describe("examples", () => {
  test("there are six", () => expect(examples).toHaveLength(6));

  test("have no type errors, which are seen when there are", () => {
    const files = Object.fromEntries(examples.map((code, at) => [`example-${at}.ts`, code]));
    const wrong = (examples[0] as string).replace('fare: "12.50"', "fare: 12.5");
    expect(wrong).not.toBe(examples[0]);
    const { "wrong.ts": found, ...errors } = typeCheck({ ...files, "wrong.ts": wrong });
    expect(Object.values(errors).flat()).toEqual([]);
    expect(found?.join("\n")).toMatch(/fare/);
  }, 20_000);

  test.each(examples.map((_, at) => at))("number %i is in a syntax that Node runs", (at) => {
    // What comes first stops the run, so that only the syntax counts.
    const path = writeExample(at);
    const code = `process.exit(7);\n${readFileSync(path, "utf8").replace(/^import .*$/gm, "")}`;
    writeFileSync(path, code);
    const { status, stderr } = runNode(path);
    expect([status, stderr]).toEqual([7, ""]);
  });

  test("the first one runs and prints its row", () => {
    const { status, stdout, stderr } = runNode(writeExample(0));
    expect([status, stdout, stderr]).toEqual([0, "t1 12.50\n", ""]);
    expect(existsSync(join(folder, "lake/trips/.hoodie/hoodie.properties"))).toBe(true);
  });
});

describe("names", () => {
  test("of files and folders in links and in the text are there", () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(
      (match) => match[1] as string,
    );
    const paths = [...text.matchAll(/`((?:test|src|spec|bench|fixtures)\/[\w./-]*)`/g)].map(
      (match) => match[1] as string,
    );
    expect(links.length + paths.length).toBeGreaterThan(5);
    expect([...links, ...paths].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("of scripts are those of package.json", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const named = [...text.matchAll(/npm (?:run ([\w:]+)|(test)\b)/g)].map((m) => m[1] ?? m[2]);
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((name) => !((name as string) in scripts))).toEqual([]);
  });

  test("of codecs are those that the setting takes", () => {
    const line = text.split("\n").find((one) => one.startsWith("| codecs |")) ?? "";
    const named = (line.split("|")[2] as string).split(",").map((name) => name.trim());
    expect(named.sort()).toEqual(["gzip", "snappy", "uncompressed", "zstd"]);
  });
});
