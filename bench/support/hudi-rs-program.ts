// The program over the crates of hudi-rs: built once by cargo into the cache of the engines, and built
// anew when its sources change. The release that writes is published as crates and as no Python package.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  engineCacheDirectory,
  provisionComponent,
  runTool,
} from "../../test/engines/support/engine-cache.ts";

/** The version of `hudi-core`, as its manifest pins it. */
export const HUDI_RS_CRATE_VERSION = "0.6.0-rc.1";

const PROJECT = join(import.meta.dirname, "hudi-rs");
const SOURCES = ["Cargo.toml", "Cargo.lock", "src/main.rs", "src/measure.rs"];
const NAME = "hudi-rs-bench";
/** Crates of this size need gigabytes each to compile; more of them at once run out of memory. */
const JOBS = "2";

/** Gives the path of the program. Building it takes minutes and needs `cargo`. */
export async function provisionHudiRsProgram(): Promise<string> {
  const directory = await provisionComponent(NAME, await describeSources(), async (into) => {
    // What cargo compiled is kept beside the program, so that a change of ours compiles ours alone.
    const target = join(engineCacheDirectory(), `${NAME}-target`);
    const manifest = ["--locked", "--manifest-path", join(PROJECT, "Cargo.toml")];
    await runTool("cargo", ["build", "--release", "--jobs", JOBS, ...manifest], {
      env: { ...process.env, CARGO_TARGET_DIR: target, PROTOC: await findProtoc(manifest) },
    });
    await copyFile(join(target, "release", NAME), join(into, NAME));
  });
  return join(directory, NAME);
}

async function describeSources(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(await readFile(join(PROJECT, name)));
  return `${HUDI_RS_CRATE_VERSION}-${hash.digest("hex").slice(0, 12)}`;
}

/** The compiler of protocol buffers, which comes as a crate; a variable that is set goes first. */
async function findProtoc(manifest: readonly string[]): Promise<string> {
  if (process.env.PROTOC) return process.env.PROTOC;
  const { stdout } = await promisify(execFile)(
    "cargo",
    ["metadata", "--format-version", "1", ...manifest],
    { maxBuffer: 2 ** 28 },
  );
  const { packages } = JSON.parse(stdout) as {
    packages: { name: string; manifest_path: string }[];
  };
  const name = protocPackage();
  const found = packages.find((one) => one.name === name);
  if (!found) throw new Error(`cannot build ${NAME}: no crate ${name}, set PROTOC to a protoc`);
  return join(found.manifest_path, "..", "bin", "protoc");
}

function protocPackage(): string {
  const machine = process.arch === "arm64" ? "aarch_64" : "x86_64";
  const system = process.platform === "darwin" ? "macos" : "linux";
  return `protoc-bin-vendored-${system}-${machine}`;
}
