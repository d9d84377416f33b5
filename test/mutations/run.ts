// Plants one bug after the other in a copy of the source, runs the suites that should notice, and says
// which did. Run: npm run test:mutations [-- <name> ...]. It takes about a minute a bug.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, execPath, exit, kill, stderr, stdout } from "node:process";
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
    ["index", ["test/indexing"]],
    ["histories", ["test/simulation/random-histories", "test/simulation/random-operations"]],
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

/** Runs a command and whatever it starts, for so long at most; tells whether it ended well. */
async function endsWell(args: readonly string[], folder: string, mostMs: number): Promise<boolean> {
  const child = spawn(execPath, args, { cwd: folder, detached: true, stdio: "ignore" });
  // A bug may be a loop without end in a child of the test runner, so the whole group is ended.
  const timer = setTimeout(() => kill(-(child.pid as number), "SIGKILL"), mostMs);
  const [status] = (await once(child, "exit")) as [number | null];
  clearTimeout(timer);
  return status === 0;
}

/** The first test that fails, or undefined when all pass. */
async function findFailure(folder: string, files: readonly string[]): Promise<string | undefined> {
  const output = join(folder, "report.json");
  rmSync(output, { force: true });
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const args = ["run", "--project", "unit", "--bail", "1", "--reporter", "json"];
  const command = [vitest, ...args, "--outputFile", output, ...files];
  if (await endsWell(command, folder, 600_000)) return undefined;
  if (!existsSync(output)) return "the suite did not end";
  const report = JSON.parse(readFileSync(output, "utf8")) as Report;
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  return tests.find((one) => one.status === "failed")?.fullName ?? "the suite did not end";
}

async function tryBug(folder: string, bug: PlantedBug): Promise<readonly string[]> {
  const files = [...new Set(bug.edits.map((edit) => edit.file))];
  const whole = new Map(files.map((file) => [file, readFileSync(join(folder, file))]));
  try {
    for (const edit of bug.edits) plant(folder, edit);
    const noticed: string[] = [];
    for (const [name, tests] of SUITES[bug.suite]) {
      const failure = await findFailure(folder, tests);
      if (failure !== undefined) noticed.push(`${name}: ${failure}`);
    }
    return noticed;
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
    const noticed = await tryBug(folder, bug);
    if (noticed.length === 0) missed += 1;
    stdout.write(`${noticed.length > 0 ? "caught" : "MISSED"}  ${bug.name}\n`);
    for (const line of noticed) stdout.write(`        ${line}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
stdout.write(`${bugs.length - missed} of ${bugs.length} bugs caught\n`);
if (missed > 0 || bugs.length === 0) exit(1);
