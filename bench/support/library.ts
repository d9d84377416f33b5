// The library as it is measured: the package built from the tree as it is now, in a folder of its
// own, so that edits of the tree during a run change nothing.
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../..");

/** The entry of the source. */
export const SOURCE_ENTRY: string = pathToFileURL(join(ROOT, "src/index.ts")).href;

/** Builds the package and gives the address of its entry. */
export async function buildLibrary(): Promise<string> {
  // Below node_modules, so that the dependencies are found from there.
  const folder = join(ROOT, "node_modules/.cache/hudi-lake-bench");
  const output = join(folder, "dist");
  await rm(output, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), `{ "type": "module" }\n`);
  const compiler = join(ROOT, "node_modules/.bin/tsc");
  const args = ["-p", join(ROOT, "tsconfig.json"), "--outDir", output];
  try {
    await promisify(execFile)(compiler, args, { cwd: ROOT });
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    throw new Error(`cannot build the package: ${stdout ?? String(error)}`);
  }
  return pathToFileURL(join(output, "index.js")).href;
}

/** The commit of the tree, with a mark when source files differ from it. */
export async function describeSource(): Promise<string> {
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)("git", args, { cwd: ROOT })).stdout.trim();
  try {
    const commit = await git("rev-parse", "--short", "HEAD");
    const changed = await git("status", "--porcelain", "--", "src");
    return changed === "" ? commit : `${commit} with changes`;
  } catch {
    return "unknown";
  }
}
