// Plants one bug after the other in a copy of the source, runs the suites that should notice, and says
// which did. Run: npm run test:mutations [-- <name> ...]. It takes about a minute a bug.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, execPath, exit, stderr, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { PLANTED_BUGS, type PlantedBug, type SourceEdit } from "./planted-bugs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COPIED = ["src", "test", "fixtures", "package.json", "tsconfig.json", "vitest.config.ts"];

/** Test files by what they are to tell, the quick ones first. */
const SUITES: Readonly<Record<PlantedBug["suite"], readonly (readonly [string, string[]])[]>> = {
  writers: [
    ["unit", ["test/write", "test/timeline", "test/read/incremental", "test/file-group/file-sys"]],
    ["interleavings", ["test/simulation/interleavings", "test/simulation/two-writers"]],
    ["crashes", ["test/simulation/conditional", "test/simulation/numbered", "test/simulation/rec"]],
  ],
  histories: [
    ["unit", ["test/write", "test/hudi-table", "test/file-group/base-file-merge"]],
    ["histories", ["test/simulation/random-histories"]],
  ],
};

interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

function plant(folder: string, edit: SourceEdit): void {
  const path = join(folder, edit.file);
  const text = readFileSync(path, "utf8");
  if (text.split(edit.from).length !== 2) {
    throw new Error(`the text of an edit does not stand once in ${edit.file}: ${edit.from}`);
  }
  writeFileSync(
    path,
    text.replace(edit.from, () => edit.to),
  );
}

/** The first test that fails, or undefined when all pass. */
function findFailure(folder: string, files: readonly string[]): string | undefined {
  const output = join(folder, "report.json");
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const args = ["run", "--project", "unit", "--bail", "1", "--reporter", "json"];
  const run = spawnSync(execPath, [vitest, ...args, "--outputFile", output, ...files], {
    cwd: folder,
    encoding: "utf8",
    timeout: 600_000,
  });
  if (run.status === 0) return undefined;
  const report = JSON.parse(readFileSync(output, "utf8")) as Report;
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  return tests.find((one) => one.status === "failed")?.fullName ?? "the suite did not end";
}

function tryBug(folder: string, bug: PlantedBug): readonly string[] {
  const files = [...new Set(bug.edits.map((edit) => edit.file))];
  const whole = new Map(files.map((file) => [file, readFileSync(join(folder, file))]));
  try {
    for (const edit of bug.edits) plant(folder, edit);
    return SUITES[bug.suite].flatMap(([name, tests]) => {
      const failure = findFailure(folder, tests);
      return failure === undefined ? [] : [`${name}: ${failure}`];
    });
  } finally {
    for (const [file, bytes] of whole) writeFileSync(join(folder, file), bytes);
  }
}

const wanted = argv.slice(2);
const bugs = PLANTED_BUGS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const folder = mkdtempSync(join(tmpdir(), "hudi-lake-mutations-"));
let missed = 0;
try {
  for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [index, bug] of bugs.entries()) {
    stderr.write(`${index + 1} of ${bugs.length}: ${bug.effect}\n`);
    const noticed = tryBug(folder, bug);
    if (noticed.length === 0) missed += 1;
    stdout.write(`${noticed.length > 0 ? "caught" : "MISSED"}  ${bug.name}\n`);
    for (const line of noticed) stdout.write(`        ${line}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
stdout.write(`${bugs.length - missed} of ${bugs.length} bugs caught\n`);
if (missed > 0 || bugs.length === 0) exit(1);
