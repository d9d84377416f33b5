// A Node program in a process of its own that answers calls one after the other, so that its CPU
// time and its memory are nobody else's. Both ends are here.
import { type ChildProcess, fork } from "node:child_process";

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** What a program can be asked. */
export type Handlers = Readonly<Record<string, (params: never) => Promise<unknown>>>;

/** The parent's end. */
export class ChildProgram {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #ended: Promise<void>;
  #lastId = 0;
  #endReason: string | undefined;

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    child.on("message", (answer: Answer) => {
      const waiter = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiter?.resolve(answer.result);
      else waiter?.reject(new Error(`${name}: ${answer.error}`));
    });
    this.#ended = new Promise((done) => {
      child.once("exit", (code, signal) => {
        this.#endReason = `${name} ended with ${code ?? signal}`;
        for (const { reject } of this.#waiting.values()) reject(new Error(this.#endReason));
        this.#waiting.clear();
        done();
      });
    });
    process.once("exit", this.#kill);
  }

  /** Starts a program of this folder. */
  static start(name: string, file: URL, args: readonly string[] = []): ChildProgram {
    const child = fork(file, args, {
      execArgv: ["--expose-gc", "--no-warnings"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      serialization: "json",
    });
    return new ChildProgram(name, child);
  }

  readonly #kill = (): void => {
    this.#child.kill("SIGKILL");
  };

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Asks and awaits the answer. */
  call<T>(method: string, params: object = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#endReason !== undefined) {
        reject(new Error(this.#endReason));
        return;
      }
      this.#lastId += 1;
      this.#waiting.set(this.#lastId, { resolve: resolve as (result: unknown) => void, reject });
      this.#child.send({ id: this.#lastId, method, params } satisfies Call, (error) => {
        if (error) reject(new Error(`${this.#name}: ${error.message}`));
      });
    });
  }

  /** Ends the program and awaits its end. */
  async stop(): Promise<void> {
    if (this.#endReason === undefined && this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(this.#kill, 5_000);
    await this.#ended;
    clearTimeout(timer);
    process.off("exit", this.#kill);
  }
}

/** The child's end: answers calls in order until the parent goes away. */
export function serveCalls(handlers: Handlers): void {
  let last: Promise<void> = Promise.resolve();
  process.on("message", (call: Call) => {
    last = last.then(async () => {
      const answer = await answerCall(handlers, call);
      process.send?.(answer);
    });
  });
  process.once("disconnect", () => process.exit(0));
}

async function answerCall(handlers: Handlers, call: Call): Promise<Answer> {
  const { id, method, params } = call;
  try {
    const handler = handlers[method];
    if (!handler) throw new Error(`no method ${method}`);
    return { id, result: (await handler(params as never)) ?? null };
  } catch (error) {
    return { id, error: (error as Error).stack ?? String(error) };
  }
}
