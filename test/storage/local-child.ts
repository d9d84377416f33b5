// A process of its own that works on a local storage: started by local-storage.test.ts.
// Arguments: what to do, the directory, and what that needs.

import { systemRuntime } from "../../src/runtime/runtime.ts";
import { acquireClaim } from "../../src/storage/local-claims.ts";
import type { LocalStep } from "../../src/storage/local-storage.ts";
import { LocalStorage } from "../../src/storage/local-storage.ts";

const [task, root = "", ...rest] = process.argv.slice(2);
const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

function die(): never {
  process.kill(process.pid, "SIGKILL");
  // The signal comes at once, but the type checker cannot know.
  for (;;);
}

async function createMany(prefix: string, count: number): Promise<void> {
  const storage = new LocalStorage(root);
  const created: number[] = [];
  for (let index = 0; index < count; index++) {
    const result = await storage.createIfAbsent(
      `${prefix}/${index}`,
      Buffer.from(`${process.pid}`),
    );
    if (result === "created") created.push(index);
  }
  process.stdout.write(JSON.stringify(created));
}

async function increment(path: string, count: number): Promise<void> {
  const storage = new LocalStorage(root);
  for (let done = 0; done < count; ) {
    const { bytes, tag } = await storage.read(path);
    const next = Buffer.from(String(Number(decode(bytes)) + 1));
    if ((await storage.replaceIfUnchanged(path, next, tag)) !== "changed") done += 1;
  }
}

async function dieAt(step: LocalStep, method: string, path: string): Promise<void> {
  const storage = new LocalStorage(root, { onStep: (reached) => void (reached === step && die()) });
  const bytes = Buffer.from("from the dead");
  if (method === "createIfAbsent") await storage.createIfAbsent(path, bytes);
  if (method === "put") await storage.put(path, bytes);
  if (method === "createWriter") {
    const writer = storage.createWriter(path);
    await writer.write(bytes);
    await writer.close();
  }
  if (method === "replaceIfUnchanged") {
    const quiet = new LocalStorage(root);
    await storage.replaceIfUnchanged(path, bytes, (await quiet.read(path)).tag);
  }
}

async function dieClaiming(claimPath: string): Promise<void> {
  await acquireClaim(claimPath, {
    runtime: systemRuntime,
    waitMs: 5_000,
    subject: "x",
    signal: undefined,
  });
  die();
}

if (task === "createMany") await createMany(rest[0] as string, Number(rest[1]));
if (task === "increment") await increment(rest[0] as string, Number(rest[1]));
if (task === "dieAt") await dieAt(rest[0] as LocalStep, rest[1] as string, rest[2] as string);
if (task === "dieClaiming") await dieClaiming(root);
