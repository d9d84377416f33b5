// The script of a worker thread: carries out tasks on file groups over the host's storage.
// Published as `hudi-lake/worker`, so that a bundler can be told to emit it.
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { LocalStorage } from "../storage/local-storage.ts";
import { encodeFailure, type StorageDescription } from "../storage/remote-protocol.ts";
import { RemoteStorage } from "../storage/remote-storage.ts";
import type { Storage } from "../storage/storage.ts";
import { runFileGroupTask } from "./file-group-task.ts";
import type { WorkerReply, WorkerRequest } from "./worker-pool.ts";

interface WorkerData {
  readonly port: MessagePort;
  readonly storage: StorageDescription;
}

function serveTasks(host: MessagePort, data: WorkerData): void {
  const storage = openHostStorage(data);
  const running = new Map<number, AbortController>();
  const reply = (message: WorkerReply): void => host.postMessage(message);
  host.on("message", (request: WorkerRequest) => {
    if ("abort" in request) {
      running.get(request.id)?.abort();
      return;
    }
    const { id, task } = request;
    const abort = new AbortController();
    running.set(id, abort);
    runFileGroupTask(storage, task, abort.signal)
      .then(
        (result) => reply({ id, result }),
        (error) => reply({ id, failure: encodeFailure(error) }),
      )
      .finally(() => running.delete(id));
  });
}

/** Files of a folder are read and written here; anything else is asked of the host. */
function openHostStorage({ port, storage }: WorkerData): Storage {
  if (storage.localFolder !== undefined) return new LocalStorage(storage.localFolder);
  return new RemoteStorage(port, storage);
}

if (parentPort) serveTasks(parentPort, workerData as WorkerData);
