// Runs the command in this process with streams that are captured, or as a process of its own.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import type { LakeIo } from "../../../src/cli/lake-io.ts";
import { runLake } from "../../../src/cli/run-lake.ts";
import { systemRuntime } from "../../../src/runtime/runtime.ts";

/** How a run went. */
export interface LakeResult {
  readonly code: number | null;
  readonly bytes: Buffer;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a run is given. */
export interface LakeRunOptions {
  readonly stdin?: string | Uint8Array | Readable;
  /** Width of a terminal that standard output and error are. */
  readonly terminal?: number;
  readonly stdout?: Writable;
  readonly signal?: AbortSignal;
  readonly runtime?: LakeIo["runtime"];
}

/** A stream that keeps what is written. */
export class CapturedOutput extends Writable {
  readonly chunks: Buffer[] = [];
  isTTY?: boolean;
  columns?: number;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** Runs the command here. */
export async function lake(
  argv: readonly string[],
  options: LakeRunOptions = {},
): Promise<LakeResult> {
  const stdout = new CapturedOutput();
  const stderr = new CapturedOutput();
  if (options.terminal !== undefined) {
    Object.assign(stdout, { isTTY: true, columns: options.terminal });
    Object.assign(stderr, { isTTY: true, columns: options.terminal });
  }
  const { stdin = "" } = options;
  const io: LakeIo = {
    stdin: stdin instanceof Readable ? stdin : new PassThrough().end(Buffer.from(stdin)),
    stdout: options.stdout ?? stdout,
    stderr,
    signal: options.signal ?? new AbortController().signal,
    runtime: options.runtime ?? systemRuntime,
  };
  const code = await runLake(argv, io);
  const { bytes } = stdout;
  return { code, bytes, stdout: bytes.toString("utf8"), stderr: stderr.bytes.toString("utf8") };
}

/** Runs the command and fails the test unless it is done. */
export async function lakeDone(
  argv: readonly string[],
  options: LakeRunOptions = {},
): Promise<LakeResult> {
  const result = await lake(argv, options);
  if (result.code !== 0)
    throw new Error(`lake ${argv.join(" ")}: ${result.code}: ${result.stderr}`);
  return result;
}

const main = join(import.meta.dirname, "../../../src/cli/main.ts");

/** Starts the command as a process of its own. */
export function startLake(argv: readonly string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [main, ...argv], { stdio: ["pipe", "pipe", "pipe"] });
}

/** Waits for a process and gives what it wrote. */
export async function waitForLake(child: ReturnType<typeof spawn>): Promise<LakeResult> {
  const collect = (stream: Readable | null): Buffer[] => {
    const chunks: Buffer[] = [];
    stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  };
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const bytes = Buffer.concat(out);
  return {
    code,
    bytes,
    stdout: bytes.toString("utf8"),
    stderr: Buffer.concat(err).toString("utf8"),
  };
}

/** A folder for the files of one test file. */
export class Workspace {
  readonly root: string = mkdtempSync(join(tmpdir(), "lake-cli-"));
  #count = 0;

  path(name: string): string {
    return join(this.root, name);
  }

  file(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    writeFileSync(path, content);
    return path;
  }

  /** Creates a table of these columns and returns its path. */
  async table(fields: Record<string, string>, flags: readonly string[] = []): Promise<string> {
    this.#count += 1;
    const path = this.path(`table_${this.#count}`);
    const schema = this.file(`schema_${this.#count}.json`, JSON.stringify(fields));
    const key = flags.includes("--record-key") ? [] : ["--record-key", "id"];
    await lakeDone(["create", path, "--schema", schema, ...key, ...flags]);
    return path;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The rows as JSON lines. */
export function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}
