// Type-checks sources as a user's project would, with the package's own sources in place of the
// installed package.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** What the compiler says of each of these files: nothing where they are right. */
export function typeCheck<Name extends string>(
  files: Readonly<Record<Name, string>>,
): Record<Name, string[]> {
  const folder = mkdtempSync(join(tmpdir(), "hudi-lake-types-"));
  try {
    const names = Object.keys(files) as Name[];
    for (const name of names) writeFileSync(join(folder, name), files[name]);
    const options = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        rootDir: "/",
        noEmit: true,
        isolatedDeclarations: false,
        declaration: false,
        sourceMap: false,
        noUnusedLocals: false,
        typeRoots: [join(root, "node_modules/@types")],
        paths: {
          "hudi-lake": [join(root, "src/index.ts")],
          "hudi-lake/ingest": [join(root, "src/ingest/index.ts")],
        },
      },
      files: names,
      include: [],
    };
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(options));
    const tsc = join(root, "node_modules/.bin/tsc");
    const { stdout, status, error } = spawnSync(tsc, ["-p", folder], { encoding: "utf8" });
    if (error) throw error;
    if (status !== 0 && !stdout.includes("error TS")) throw new Error(stdout);
    const lines = stdout.split("\n");
    const errorsOf = (name: string): string[] =>
      lines
        .filter((line) => line.includes(`/${name}(`) && line.includes("error TS"))
        .map((line) => line.slice(line.indexOf(`/${name}(`) + 1));
    return Object.fromEntries(names.map((name) => [name, errorsOf(name)])) as Record<
      Name,
      string[]
    >;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
