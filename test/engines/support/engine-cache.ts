// Where downloaded engines are kept, outside the source tree, and how each gets there once.
// A component is built in a folder of its own and renamed into place, so that two processes that
// start at once, or one that dies half-way, never leave a half-made component behind.

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The version of PySpark, and so of Apache Spark, that the drivers run. */
export const SPARK_VERSION = "3.5.9";
/** The version of the `hudi` wheel (hudi-rs) that the drivers run. */
export const HUDI_RS_VERSION = "0.5.0";
/** The version of PyArrow through which hudi-rs hands over its rows. */
export const PYARROW_VERSION = "26.0.1";

/** Releases of the Hudi bundle for Spark 3.5; they write table versions 6, 8 and 9 in this order. */
export type HudiBundleVersion = "0.15.0" | "1.0.2" | "1.1.1";
/** Every release of the bundle that the tests or the fixtures use. */
export const HUDI_BUNDLE_VERSIONS: readonly HudiBundleVersion[] = ["0.15.0", "1.0.2", "1.1.1"];

/** A Python with PySpark, hudi-rs and PyArrow. */
export interface PythonEnvironment {
  readonly directory: string;
  readonly pythonPath: string;
  readonly sparkVersion: string;
  readonly hudiRsVersion: string;
  readonly pyarrowVersion: string;
}

/** One Hudi bundle for Spark 3.5, Scala 2.12. */
export interface HudiBundle {
  readonly directory: string;
  readonly jarPath: string;
  readonly version: HudiBundleVersion;
}

/** The folder of all downloaded engines: `HUDI_LAKE_CACHE`, else `~/.cache/hudi-lake`. */
export function engineCacheDirectory(): string {
  const configured = process.env.HUDI_LAKE_CACHE;
  return configured ? resolve(configured) : join(homedir(), ".cache", "hudi-lake");
}

/** Writes one progress line to stderr. */
export function reportProgress(line: string): void {
  process.stderr.write(`[engines] ${line}\n`);
}

/** Makes, once, the Python environment of the drivers. Needs `python3` (or `HUDI_LAKE_PYTHON`). */
export async function provisionPython(): Promise<PythonEnvironment> {
  const version = `${SPARK_VERSION}-${HUDI_RS_VERSION}-${PYARROW_VERSION}`;
  const directory = await provisionComponent("python", version, async (into) => {
    await runTool(process.env.HUDI_LAKE_PYTHON ?? "python3", ["-m", "venv", into]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await runTool(join(into, "bin", "python"), [
      ...pip,
      `pyspark==${SPARK_VERSION}`,
      `hudi==${HUDI_RS_VERSION}`,
      `pyarrow==${PYARROW_VERSION}`,
    ]);
  });
  return {
    directory,
    pythonPath: join(directory, "bin", "python"),
    sparkVersion: SPARK_VERSION,
    hudiRsVersion: HUDI_RS_VERSION,
    pyarrowVersion: PYARROW_VERSION,
  };
}

/** Puts one artifact of the Maven repository, named as Maven names it, into a folder. Needs `mvn`. */
export async function downloadArtifact(artifact: string, directory: string): Promise<void> {
  await runTool("mvn", [
    ...["--batch-mode", "--quiet", "--no-transfer-progress"],
    "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
    `-Dartifact=${artifact}`,
    `-DoutputDirectory=${directory}`,
  ]);
}

/** Fetches, once, a Hudi bundle for Spark 3.5 with Maven. Needs `mvn` and a JDK. */
export async function provisionHudiBundle(version: HudiBundleVersion): Promise<HudiBundle> {
  const artifact = "hudi-spark3.5-bundle_2.12";
  const directory = await provisionComponent(artifact, version, async (into) => {
    await downloadArtifact(`org.apache.hudi:${artifact}:${version}`, into);
  });
  const jarPath = join(directory, `${artifact}-${version}.jar`);
  await stat(jarPath);
  return { directory, jarPath, version };
}

const STAMP_NAME = "provisioned.json";
const LOCK_REFRESH_MS = 5_000;
const LOCK_STALE_MS = 30_000;

/**
 * Gives the folder of one component, made by `build` at first use. `build` fills a new empty
 * folder, which is renamed to its final place with a stamp inside; it must therefore hold no
 * absolute path to itself. Of two processes that start at once the second waits for the first.
 */
export async function provisionComponent(
  name: string,
  version: string,
  build: (into: string) => Promise<void>,
): Promise<string> {
  const cache = engineCacheDirectory();
  const finalPath = join(cache, `${name}-${version}`);
  if (await isProvisioned(finalPath, version)) return finalPath;
  await mkdir(cache, { recursive: true });
  const lock = await acquireLock(`${finalPath}.lock`, () => isProvisioned(finalPath, version));
  const building = `${finalPath}.building-${randomBytes(6).toString("hex")}`;
  try {
    if (await isProvisioned(finalPath, version)) return finalPath;
    reportProgress(`${name} ${version}: provisioning into ${cache}`);
    const startMs = Date.now();
    await mkdir(building);
    await build(building);
    const stamp = { name, version, provisionedAt: new Date().toISOString() };
    await writeFile(join(building, STAMP_NAME), `${JSON.stringify(stamp, null, 2)}\n`);
    await moveIntoPlace(building, finalPath, version);
    reportProgress(
      `${name} ${version}: ready after ${Math.round((Date.now() - startMs) / 1000)} s`,
    );
    return finalPath;
  } finally {
    await rm(building, { recursive: true, force: true });
    await lock.release();
  }
}

async function isProvisioned(directory: string, version: string): Promise<boolean> {
  try {
    const stamp = JSON.parse(await readFile(join(directory, STAMP_NAME), "utf8")) as unknown;
    return (stamp as { version?: unknown } | null)?.version === version;
  } catch {
    return false;
  }
}

async function moveIntoPlace(from: string, to: string, version: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    // Another process that broke a stale lock may have finished first; its result is as good.
    if (await isProvisioned(to, version)) return;
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error;
    await rm(to, { recursive: true, force: true });
    await rename(from, to);
  }
}

interface HeldLock {
  release(): Promise<void>;
}

// The lock only saves a second download: the rename is what keeps the cache whole without it.
async function acquireLock(path: string, isDone: () => Promise<boolean>): Promise<HeldLock> {
  for (let waits = 0; ; waits += 1) {
    try {
      await writeFile(path, `${process.pid}\n`, { flag: "wx" });
      const timer = setInterval(() => {
        utimes(path, new Date(), new Date()).catch(() => {});
      }, LOCK_REFRESH_MS);
      timer.unref();
      return {
        async release(): Promise<void> {
          clearInterval(timer);
          await rm(path, { force: true });
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (await isDone()) return { release: async () => {} };
    const ageMs = await stat(path).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (ageMs > LOCK_STALE_MS) await rm(path, { force: true });
    else {
      if (waits % 120 === 0) reportProgress(`waiting for another process: ${path}`);
      await sleep(250);
    }
  }
}

/**
 * Runs a tool to its end with its output on stderr; raises an error that names the tool and its
 * last lines when it fails or is missing.
 */
export async function runTool(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<void> {
  const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const tail = collectTail(child);
  const exit = await new Promise<number | NodeJS.Signals | null>((done, fail) => {
    child.once("error", (cause) => fail(new Error(`cannot run ${command}: ${cause.message}`)));
    child.once("close", (code, signal) => done(code ?? signal));
  });
  if (exit === 0) return;
  throw new Error(`cannot run ${command} ${args.join(" ")}: it ended with ${exit}\n${tail()}`);
}

function collectTail(child: ChildProcess): () => string {
  let text = "";
  const append = (chunk: Buffer): void => {
    process.stderr.write(chunk);
    text = (text + chunk.toString("utf8")).slice(-4_000);
  };
  child.stdout?.on("data", append);
  child.stderr?.on("data", append);
  return () => text;
}
