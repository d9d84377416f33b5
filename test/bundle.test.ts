// The library in a bundle, as a function in the cloud carries it: the worker's script as an entry of
// its own, and what happens where that is left behind.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OutputOptions, type RolldownOptions, rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "hudi-lake-bundle-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The app: writes enough rows for a thread, and says how it went. */
const APP = `
import { HudiTable } from "hudi-lake";
const entry = process.env.ENTRY && new URL(process.env.ENTRY, import.meta.url);
const table = await HudiTable.create(process.env.TABLE, {
  name: "bundled",
  type: "copy-on-write",
  fields: { id: "string", text: "string" },
  recordKey: "id",
}, { workers: { count: 1, ...(entry && { entry }) } });
try {
  const rows = Array.from({ length: 6000 }, (_, n) => ({ id: "k" + n, text: "x".repeat(1000) }));
  const { inserted } = await table.upsert(rows);
  let count = 0;
  for await (const batch of table.read().batches()) count += batch.numRows;
  await table.rollback((await table.timeline())[0].time);
  console.log(JSON.stringify({ inserted, count, left: (await table.read().toArray()).length }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
await table.close();
`;

interface Outcome {
  readonly inserted?: number;
  readonly count?: number;
  readonly left?: number;
  readonly code?: string;
  readonly message?: string;
}

/** A project that has the package installed: its package.json, with sources for built files. */
function makeProject(): string {
  const project = join(folder, "project");
  const installed = join(project, "node_modules/hudi-lake");
  mkdirSync(installed, { recursive: true });
  const manifest = readFileSync(join(root, "package.json"), "utf8");
  const { exports, sideEffects, name, version, type } = JSON.parse(
    manifest.replaceAll(/\.\/dist\/([\w/-]+)\.js/g, "./src/$1.ts"),
  );
  writeFileSync(
    join(installed, "package.json"),
    JSON.stringify({ name, version, type, exports, sideEffects }),
  );
  symlinkSync(join(root, "src"), join(installed, "src"), "dir");
  for (const dependency of readdirSync(join(root, "node_modules"))) {
    if (dependency.startsWith(".")) continue;
    symlinkSync(
      join(root, "node_modules", dependency),
      join(project, "node_modules", dependency),
      "dir",
    );
  }
  writeFileSync(join(project, "package.json"), '{"name":"app","type":"module"}');
  writeFileSync(join(project, "app.js"), APP);
  // What a user writes who wants the worker's script under a name of their own.
  writeFileSync(join(project, "my-worker.js"), 'import "hudi-lake/worker";\n');
  return project;
}

async function bundle(
  name: string,
  options: RolldownOptions,
  output: OutputOptions = {},
): Promise<string> {
  const dir = join(folder, name);
  const build = await rolldown({
    cwd: join(folder, "project"),
    platform: "node",
    resolve: { symlinks: false },
    logLevel: "silent",
    ...options,
  });
  await build.write({ dir, format: "esm", entryFileNames: "[name].mjs", ...output });
  await build.close();
  return dir;
}

let runs = 0;
function runApp(dir: string, env: Record<string, string> = {}, file = "app.mjs"): Outcome {
  runs += 1;
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(dir, file)], {
    cwd: dir,
    encoding: "utf8",
    env: { PATH: process.env.PATH ?? "", TABLE: join(folder, `table-${runs}`), ...env },
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Outcome;
}

const DONE: Outcome = { inserted: 6000, count: 6000, left: 0 };

describe("a bundle of an app", () => {
  let dir: string;
  let source: string;
  beforeAll(async () => {
    makeProject();
    const input = { app: "app.js", "my-worker": "my-worker.js", entry: "hudi-lake/worker" };
    dir = await bundle("whole", { input });
    source = readFileSync(join(dir, "app.mjs"), "utf8");
  }, 60_000);

  test("holds everything", () => {
    const files = readdirSync(dir).filter((name) => name.endsWith(".mjs"));
    const imported = files.flatMap((name) =>
      [...readFileSync(join(dir, name), "utf8").matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)].map(
        (match) => match[1] as string,
      ),
    );
    const foreign = imported.filter(
      (name) => !/^(node:|\.)/.test(name) && !existsSync(join(dir, name)),
    );
    const builtin = new Set(process.getBuiltinModule("node:module").builtinModules);
    expect(foreign.filter((name) => !builtin.has(name))).toEqual([]);
    expect(source.length).toBeGreaterThan(1000);
  });

  test("works in place where the worker's script was left behind", () => {
    expect(runApp(dir)).toEqual(DONE);
  });

  test("works with threads whose script is the package's own", () => {
    expect(runApp(dir, { ENTRY: "./entry.mjs" })).toEqual(DONE);
  });

  // `"sideEffects": false` lets a bundler drop an import that is there for its effect alone.
  test("works with threads whose script imports the package's own", () => {
    expect(runApp(dir, { ENTRY: "./my-worker.mjs" })).toEqual(DONE);
  });

  test("that names a script that is not there says so", () => {
    expect(runApp(dir, { ENTRY: "./none.mjs" })).toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/cannot finish a task/),
    });
  });
});

describe("a bundle whose modules have no URL, as those in CommonJS often have none", () => {
  test("works in place", async () => {
    const app = APP.replace("import.meta.url", '"file:///"')
      .replace(/\nconst table = await/, "\n(async () => {\nconst table = await")
      .concat("})();\n");
    writeFileSync(join(folder, "project/app-cjs.js"), app);
    const dir = await bundle(
      "cjs",
      { input: { app: "app-cjs.js" }, transform: { define: { "import.meta.url": "undefined" } } },
      { format: "cjs", entryFileNames: "[name].cjs", chunkFileNames: "[name].cjs" },
    );
    expect(runApp(dir, {}, "app.cjs")).toEqual(DONE);
  }, 60_000);
});
