// A worker thread that uses a storage of its host: started by remote-storage.test.ts. It ends by
// itself, since an idle port does not keep it alive.
import type { MessagePort } from "node:worker_threads";
import { parentPort, workerData } from "node:worker_threads";
import type { HudiError } from "../../src/errors.ts";
import type { StorageDescription } from "../../src/storage/remote-protocol.ts";
import { RemoteStorage } from "../../src/storage/remote-storage.ts";

const { port, description, isIdle } = workerData as {
  port: MessagePort;
  description: StorageDescription;
  isIdle: boolean;
};
const storage = new RemoteStorage(port, description);
if (isIdle) parentPort?.postMessage("idle");
else await work();

async function work(): Promise<void> {
  const { bytes } = await storage.read("in");
  const writer = storage.createWriter("out");
  await writer.write(new TextEncoder().encode("from the worker"));
  await writer.close();
  parentPort?.postMessage({
    location: storage.location,
    text: new TextDecoder().decode(bytes),
    listed: (await storage.list("")).map(({ path }) => path),
    missing: await storage.read("none").catch((error: HudiError) => error.code),
  });
}
