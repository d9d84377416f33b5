// Holds specification and tests together: every rule of spec/ is named by the title of a test, and
// every rule that a title names is there.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** Rules that no test names yet. The list only ever gets shorter. */
const UNTESTED: readonly string[] = [];

const RULE = /\b[A-Z]{2,4}-\d+\b/g;
const RULE_LIST = /\(([A-Z]{2,4}-\d+(?:, [A-Z]{2,4}-\d+)*)(?:; [^)]*)?\)/g;

/** The rules that a page defines: `**TX-8 …`. */
function findDefinedRules(page: string): string[] {
  return [...page.matchAll(/\*\*([A-Z]{2,4}-\d+)\b/g)].map((match) => match[1] as string);
}

/** The end of a literal that begins at `start`, just past its closing quote. */
function endOfLiteral(text: string, start: number): number {
  const quote = text[start];
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** The end of a bracketed part that begins at `start`, literals in it passed over. */
function endOfBrackets(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const char = text[at] as string;
    if (`"'\``.includes(char)) at = endOfLiteral(text, at) - 1;
    else if ("([{".includes(char)) depth += 1;
    else if (")]}".includes(char)) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

/** The titles of the tests and groups of a file: `test("…")`, `it.each(cases)("…")`. */
function findTitles(text: string): string[] {
  const titles: string[] = [];
  for (const match of text.matchAll(/(?<![\w.])(?:test|it|describe)(?:\.\w+)*(?=\()/g)) {
    let at = match.index + match[0].length;
    for (let call = 0; call < 2 && text[at] === "("; call += 1) {
      const first = at + (/^\(\s*/.exec(text.slice(at, at + 200))?.[0].length ?? 1);
      if (`"'\``.includes(text[first] as string)) {
        titles.push(text.slice(first + 1, endOfLiteral(text, first) - 1));
        break;
      }
      at = endOfBrackets(text, at);
    }
  }
  return titles;
}

/** The rules that a title names in brackets, and those that it names in any other way. */
function findNamedRules(title: string): { readonly named: string[]; readonly loose: string[] } {
  const named = [...title.matchAll(RULE_LIST)].flatMap((match) => (match[1] as string).split(", "));
  return { named, loose: title.replace(RULE_LIST, "").match(RULE) ?? [] };
}

function listFiles(folder: string, extension: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(extension) && !path.includes("node_modules"))
    .map((path) => join(root, folder, path))
    .sort();
}

const defined = listFiles("spec", ".md").flatMap((path) =>
  findDefinedRules(readFileSync(path, "utf8")),
);
const titles = listFiles("test", ".ts")
  .filter((path) => path !== import.meta.filename)
  .flatMap((path) => findTitles(readFileSync(path, "utf8")));
const kinds = new Set(defined.map((rule) => rule.split("-")[0] as string));
const named = new Set(titles.flatMap((title) => findNamedRules(title).named));

describe("the specification", () => {
  test("has rules and tests to compare", () => {
    expect(defined.length).toBeGreaterThan(150);
    expect(titles.length).toBeGreaterThan(300);
  });
  test("gives no number twice", () => {
    expect(defined.filter((rule, index) => defined.indexOf(rule) !== index)).toEqual([]);
  });
  test("has no rule without a test", () => {
    expect(defined.filter((rule) => !named.has(rule) && !UNTESTED.includes(rule))).toEqual([]);
  });
  test("has every rule that a test names", () => {
    expect([...named].filter((rule) => !defined.includes(rule))).toEqual([]);
  });
  test("is named rule by rule, in brackets", () => {
    // UTF-8 and CRC-32 look like rules and are none.
    const isRule = (rule: string): boolean => kinds.has(rule.split("-")[0] as string);
    const loose = titles.filter((title) => findNamedRules(title).loose.some(isRule));
    expect(loose).toEqual([]);
  });
  test("lists as untested only what is", () => {
    expect(UNTESTED.filter((rule) => named.has(rule) || !defined.includes(rule))).toEqual([]);
  });
  test("names every page and every kind of rule in its table of contents", () => {
    const contents = readFileSync(join(root, "spec/README.md"), "utf8");
    expect([...kinds].filter((kind) => !new RegExp(`\\b${kind}\\b`).test(contents))).toEqual([]);
    const pages = ["format", "protocol"].flatMap((folder) =>
      readdirSync(join(root, "spec", folder)).map((name) => `${folder}/${name}`),
    );
    expect(pages.filter((page) => !contents.includes(`(${page})`))).toEqual([]);
    const linked = [...contents.matchAll(/\]\(((?:format|protocol)\/[^)]+)\)/g)].map((m) => m[1]);
    expect(linked.filter((page) => !pages.includes(page as string))).toEqual([]);
  });
});

describe("the scan itself", () => {
  test("finds rules in pages", () => {
    expect(findDefinedRules("**TX-1 Name** ends.\n\nSee TX-2.\n**AB-10.** More")).toEqual([
      "TX-1",
      "AB-10",
    ]);
  });
  test.each([
    ['test("plain (TX-1)", () => {})', ["plain (TX-1)"]],
    ['  it.each([["a)", 1], [`b(`, 2]])("of a list: %s", () => {})', ["of a list: %s"]],
    ["describe.skipIf(a && b())(\n  `over\n lines`,\n () => {})", ["over\n lines"]],
    ['test.runIf(x === ")")("with \\" in it", f)', ['with \\" in it']],
    ['latest("no test"); expect(a.test("neither")).toBe(1)', []],
    ["test(name, () => {})", []],
  ])("finds titles in %j", (text, expected) => {
    expect(findTitles(text)).toEqual(expected);
  });
  test("knows lists from other mentions", () => {
    expect(findNamedRules("does so (TX-1, AB-12) and so (CD-3; in %s)")).toEqual({
      named: ["TX-1", "AB-12", "CD-3"],
      loose: [],
    });
    expect(findNamedRules("TX-1 alone, a range (AB-1 to AB-3)").loose).toEqual([
      "TX-1",
      "AB-1",
      "AB-3",
    ]);
  });
});
