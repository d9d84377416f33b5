// A driver program in a child process that answers one JSON document per line: requests in order,
// errors as typed errors, and an end that leaves no process behind.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** One link of the chain of causes that an engine reported. */
export interface EngineErrorCause {
  /** The class of the exception in the engine's own language. */
  readonly className: string;
  readonly message: string;
}

/** An error that an engine raised, or the death of its process. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  /** The class of the outermost exception, or `EngineProcessEnded`. */
  readonly className: string;
  /** The exception and its causes, outermost first. */
  readonly causes: readonly EngineErrorCause[];
  /** The engine's own stack trace, or the last lines of its log. */
  readonly details: string;

  constructor(causes: readonly EngineErrorCause[], details: string, requestedAt?: Error) {
    super(
      causes.map(({ className, message }) => `${className}: ${message}`).join("\n  caused by "),
      requestedAt === undefined ? undefined : { cause: requestedAt },
    );
    this.causes = causes;
    this.className = causes[0]?.className ?? "unknown";
    this.details = details;
  }

  /** The innermost cause. */
  get rootCause(): EngineErrorCause {
    return this.causes.at(-1) ?? { className: "unknown", message: this.message };
  }
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly causes: readonly EngineErrorCause[]; readonly details: string };
}

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  /** Where the request was made: an answer arrives with no stack of its own. */
  readonly requestedAt: Error;
}

/** How a driver program is started. */
export interface EngineProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A running driver program. Its log is kept short; `HUDI_LAKE_ENGINE_LOG=1` shows it on stderr. */
export class EngineProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiters = new Map<number, Waiter>();
  readonly #ended: Promise<void>;
  #nextId = 1;
  #log = "";
  #endReason: string | undefined;

  constructor(options: EngineProcessOptions) {
    // A process group of its own, so that a kill reaches the JVM below the driver as well.
    this.#child = spawn(options.command, options.args, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#child.stdin.on("error", () => {});
    this.#child.stderr.on("data", (chunk: Buffer) => {
      if (process.env.HUDI_LAKE_ENGINE_LOG) process.stderr.write(chunk);
      this.#log = (this.#log + chunk.toString("utf8")).slice(-20_000);
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => this.#receive(line));
    this.#ended = new Promise((done) => {
      this.#child.once("error", (cause) => this.#end(`it could not start: ${cause.message}`, done));
      this.#child.once("close", (code, signal) =>
        this.#end(`it ended with ${code ?? signal}`, done),
      );
    });
    process.once("exit", this.#killAtExit);
  }

  readonly #killAtExit = (): void => this.kill();

  /** The process id of the driver; the JVM below it is in the same process group. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The last lines that the engine logged. */
  get log(): string {
    return this.#log;
  }

  /** Sends one request and awaits its answer; requests are answered in the order they are sent. */
  request(method: string, params: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#endReason !== undefined) {
        reject(this.#endError(this.#endReason));
        return;
      }
      const id = this.#nextId++;
      this.#waiters.set(id, { resolve, reject, requestedAt: new Error(`the request ${method}`) });
      this.#child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  /** Asks the driver to end by closing its input, kills it after `graceMs`, awaits its end. */
  async stop(graceMs = 20_000): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Kills the driver and everything below it at once, as a crash would. */
  kill(): void {
    if (this.#endReason !== undefined || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  }

  /** Resolves when the process has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  #receive(line: string): void {
    if (line.trim() === "") return;
    const reply = JSON.parse(line) as Reply;
    const waiter = this.#waiters.get(reply.id);
    this.#waiters.delete(reply.id);
    if (reply.error === undefined) waiter?.resolve(reply.result);
    else {
      const { causes, details } = reply.error;
      waiter?.reject(new EngineError(causes, details, waiter.requestedAt));
    }
  }

  #end(reason: string, done: () => void): void {
    if (this.#endReason === undefined) {
      // The JVM may outlive a driver that died alone.
      this.kill();
      this.#endReason = reason;
      process.off("exit", this.#killAtExit);
      for (const waiter of this.#waiters.values()) waiter.reject(this.#endError(reason));
      this.#waiters.clear();
    }
    done();
  }

  #endError(reason: string): EngineError {
    return new EngineError([{ className: "EngineProcessEnded", message: reason }], this.#log);
  }
}
