// The package as it will be published: pinned dependencies, few entries, no scripts at installation,
// and code that runs where Node forbids making code from text.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const readJson = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"));
const manifest = readJson("package.json");
const lock = readJson("package-lock.json");

/** The source that a built file is made of. */
function sourceOf(built: string): string {
  return join(root, built.replace(/^\.\/dist\//, "src/").replace(/\.js$/, ".ts"));
}

describe("dependencies", () => {
  test("are these, and every one is a decision", () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual([
      "@aws-sdk/client-s3",
      "apache-arrow",
      "commander",
      "hysnappy",
      "p-limit",
    ]);
    expect(manifest).not.toHaveProperty("peerDependencies");
    expect(manifest).not.toHaveProperty("optionalDependencies");
    expect(manifest).not.toHaveProperty("bundledDependencies");
  });

  test("are used by the sources", () => {
    const { stdout } = spawnSync(
      "grep",
      ["-rhoE", '(from|import|resolve)\\(? ?"[^".][^"]*"', join(root, "src")],
      { encoding: "utf8" },
    );
    const unused = Object.keys(manifest.dependencies).filter(
      (name) => !stdout.includes(`"${name}"`),
    );
    expect(unused).toEqual([]);
  });

  test("are pinned to one version each", () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    const loose = Object.entries(all).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version as string),
    );
    expect(loose).toEqual([]);
  });

  test("are those of the lock file, which holds nothing from elsewhere than the registry", () => {
    const entry = lock.packages[""];
    expect(entry.dependencies).toEqual(manifest.dependencies);
    expect(entry.devDependencies).toEqual(manifest.devDependencies);
    const packages = Object.entries(lock.packages as Record<string, Record<string, unknown>>);
    // Tools for other platforms stand in the file by name and version alone.
    const odd = packages.filter(
      ([path, { integrity, link, optional, dev }]) =>
        path !== "" && (link || !(integrity || (optional && dev))),
    );
    expect(odd.map(([path]) => path)).toEqual([]);
  });

  test("run no script when they are installed", () => {
    const packages = Object.entries(lock.packages as Record<string, Record<string, unknown>>);
    const scripted = packages.filter(([, { hasInstallScript, dev }]) => hasInstallScript && !dev);
    expect(scripted.map(([path]) => path)).toEqual([]);
  });
});

describe("the manifest", () => {
  test("names what is public, and every entry has its source", () => {
    expect(manifest.exports).toEqual({
      ".": "./dist/index.js",
      "./ingest": "./dist/ingest/index.js",
      "./worker": "./dist/file-group/file-group-worker.js",
      "./package.json": "./package.json",
    });
    const built = Object.values(manifest.exports as Record<string, string>).filter((path) =>
      path.endsWith(".js"),
    );
    expect(built.filter((path) => !existsSync(sourceOf(path)))).toEqual([]);
    expect(manifest).not.toHaveProperty("main");
  });

  test("names a command that is one", () => {
    expect(manifest.bin).toEqual({ lake: "./dist/cli/main.js" });
    expect(readFileSync(sourceOf(manifest.bin.lake), "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  test("publishes what is built and the papers, all of which are there", () => {
    expect(manifest.files).toEqual(["dist", "README.md", "CHANGELOG.md", "LICENSE"]);
    const papers = (manifest.files as string[]).filter((path) => path !== "dist");
    expect(papers.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(manifest.license).toBe("Apache-2.0");
    expect(readFileSync(join(root, "LICENSE"), "utf8")).toMatch(/Apache License\s+Version 2\.0/);
    expect(readFileSync(join(root, "CHANGELOG.md"), "utf8")).toContain(`## ${manifest.version}`);
  });

  test("runs nothing when it is installed", () => {
    const hooks = ["preinstall", "install", "postinstall", "prepare", "prepublish"];
    expect(hooks.filter((name) => name in manifest.scripts)).toEqual([]);
  });

  test("asks for the Node that its scripts bring along, and has every script of the issue", () => {
    expect(manifest.type).toBe("module");
    const least = /^>=(\d+)\.(\d+)/.exec(manifest.engines.node)?.slice(1).map(Number) ?? [];
    const brought = (manifest.devDependencies.node as string).split(".").map(Number);
    expect(brought[0]).toBe(least[0]);
    expect(brought[1]).toBeGreaterThanOrEqual(least[1] ?? Infinity);
    for (const script of ["check", "build", "test", "test:engines", "bench", "demo"]) {
      expect(manifest.scripts).toHaveProperty([script]);
    }
  });
});

describe("a process that may make no code from text, and whose objects have no __proto__", () => {
  const folder = mkdtempSync(join(tmpdir(), "hudi-lake-package-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Runs a script that has a table of two commits open. */
  function runStrict(script: string): { status: number | null; stdout: string; stderr: string } {
    const entry = pathToFileURL(join(root, "src/index.ts")).href;
    const path = join(folder, `${Buffer.from(script).toString("hex").slice(-16)}.mts`);
    const table = join(folder, `${Math.random()}`);
    writeFileSync(
      path,
      `import { HudiTable } from ${JSON.stringify(entry)};
      const table = await HudiTable.create(${JSON.stringify(table)}, {
        name: "strict",
        type: "copy-on-write",
        fields: { id: "string", part: "int", price: "decimal(10,2)?", at: "long" },
        recordKey: "id",
        partitionBy: "part",
        orderingField: "at",
      });
      const row = (id, at) => ({ id, part: 1, price: "1.50", at });
      await table.upsert([row("a", 1n), row("b", 1n)]);
      const commit = await table.upsert([row("a", 2n), row("c", 2n)]);
      ${script}
      await table.close();`,
    );
    const flags = ["--disallow-code-generation-from-strings", "--disable-proto=throw"];
    const options = ["--disable-warning=ExperimentalWarning", ...flags, path];
    return spawnSync(process.execPath, options, { encoding: "utf8", timeout: 60_000 });
  }

  test("creates, writes and reads", () => {
    const outcome = runStrict(`
      const rows = await table.read({ where: { at: { gte: 2 } }, columns: ["id"] }).toArray();
      let batches = 0;
      for await (const batch of table.incremental({ after: "0" }).batches()) batches += batch.numRows;
      await table.delete([{ id: "b", part: 1 }]);
      await table.apply([{ op: "delete", key: { id: "c", part: 1, at: 3n } }]);
      console.log(JSON.stringify([rows, batches, (await table.read().toArray()).length]));
    `);
    const stdout = `${JSON.stringify([[{ id: "a" }, { id: "c" }], 3, 1])}\n`;
    expect(outcome).toMatchObject({ status: 0, stdout, stderr: "" });
  });

  test("rolls back", () => {
    const outcome = runStrict(`
      await table.rollback(commit.instant);
      console.log((await table.read().toArray()).length);
    `);
    expect(outcome).toMatchObject({ status: 0, stdout: "2\n", stderr: "" });
  });

  test("is one where such code fails", () => {
    const outcome = runStrict(`
      try { new Function("return 1"); } catch (error) { console.log(error.name); }
      try { ({}).__proto__; } catch (error) { console.log(error.code); }
    `);
    expect(outcome.stdout).toBe("EvalError\nERR_PROTO_ACCESS\n");
  });
});
