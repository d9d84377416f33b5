// A server of another project in a child process: it starts, is ready when a probe says so, keeps
// the end of its log for error messages, and never outlives the process that started it.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createServer } from "node:net";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** How a server is started. */
export interface ServerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

// The shell holds our end of a pipe: when this process dies, however it dies, the pipe closes and
// the server is killed. The trap keeps the shell waiting for a server that ends in good order.
const SUPERVISOR = `
trap : TERM
exec 3<&0
"$@" </dev/null 3<&- & child=$!
{ cat <&3; kill -KILL $child; } >/dev/null 2>&1 & watch=$!
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
kill $watch 2>/dev/null
exit $code
`;

/** A running server. `HUDI_LAKE_ENGINE_LOG=1` shows its log on stderr. */
export class ServerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #name: string;
  readonly #ended: Promise<void>;
  #log = "";
  #endReason: string | undefined;

  constructor(name: string, options: ServerProcessOptions) {
    this.#name = name;
    const args = ["-c", SUPERVISOR, "sh", options.command, ...options.args];
    this.#child = spawn("/bin/sh", args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#child.stdin.on("error", () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        if (process.env.HUDI_LAKE_ENGINE_LOG) process.stderr.write(chunk);
        this.#log = (this.#log + chunk.toString("utf8")).slice(-20_000);
      });
    }
    this.#ended = new Promise((done) => {
      const end = (reason: string): void => {
        this.#endReason ??= reason;
        this.#child.stdin.destroy();
        done();
      };
      this.#child.once("error", (cause) => end(`could not start: ${cause.message}`));
      this.#child.once("close", (code, signal) => end(`ended with ${code ?? signal}`));
    });
  }

  /** The last lines of the server's output. */
  get log(): string {
    return this.#log;
  }

  /** Whether the process has ended, for whatever reason. */
  get hasEnded(): boolean {
    return this.#endReason !== undefined;
  }

  /** Awaits the first `true` of the probe, whose errors count as `false`; raises when none comes. */
  async waitUntilReady(probe: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (this.#endReason !== undefined) this.#fail(`it ${this.#endReason}`);
      if (await probe().catch(() => false)) return;
      if (Date.now() > deadline) this.#fail(`it was not ready after ${timeoutMs} ms`);
      await sleep(100);
    }
  }

  /** Ends the server, by force after `graceMs`, and awaits its end. */
  async stop(graceMs = 10_000): Promise<void> {
    this.#signal("SIGTERM");
    const timer = setTimeout(() => this.#signal("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Kills the server at once, as a crash would, and awaits its end. */
  async kill(): Promise<void> {
    this.#signal("SIGKILL");
    await this.#ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#endReason !== undefined || this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch {
      // The group is gone already.
    }
  }

  #fail(fact: string): never {
    throw new Error(`cannot start ${this.#name}: ${fact}\n${this.#log.slice(-4_000)}`);
  }
}

/** A TCP port of the loopback interface that nothing listens on at this moment. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
