// The one instance of parquet-wasm in this thread: loaded when it is first needed, thrown away when
// it panicked or has grown large. Everything that is done with it ends within one call.
// Rules: spec/format/parquet.md, PQ-11.
import { createRequire } from "node:module";
import { HudiError } from "../errors.ts";

/** The library, as its Node build exports it. */
export type ParquetWasm = typeof import("parquet-wasm");

/** WebAssembly memory never shrinks, so an instance beyond this is replaced. */
const MAX_KEPT_BYTES: number = 512 * 1024 * 1024;

let instance: ParquetWasm | undefined;

/** The library stopped in the middle of its work: its state was thrown away with it. */
export class ParquetWasmPanic extends Error {
  override readonly name: string = "ParquetWasmPanic";
}

/**
 * Runs `work` with the library. Objects of the library must not outlive the call, and `work` frees
 * those that it does not hand back to the library. Errors of the library are thrown as they are; a
 * panic is thrown as `ParquetWasmPanic`, and the next call gets a new instance.
 */
export function runParquetWasm<T>(work: (wasm: ParquetWasm) => T): T {
  instance ??= loadInstance();
  const used = instance;
  try {
    return work(used);
  } catch (error) {
    if (!isPanic(error)) throw error;
    instance = undefined;
    throw new ParquetWasmPanic(`the decoder stopped (${error.message})`, { cause: error });
  } finally {
    if (instance === used && used.wasmMemory().buffer.byteLength > MAX_KEPT_BYTES) {
      instance = undefined;
    }
  }
}

/** A trap of the module, or its stack or address space exhausted. */
function isPanic(error: unknown): error is Error {
  return error instanceof RangeError || (error instanceof Error && error.name === "RuntimeError");
}

/** The size of the memory of the instance, or 0 if there is none. */
export function parquetWasmMemoryBytes(): number {
  return instance?.wasmMemory().buffer.byteLength ?? 0;
}

function loadInstance(): ParquetWasm {
  // Each instance is a module of its own. It is taken out of the cache at once, so that a thrown
  // away one can be collected.
  const require = createRequire(import.meta.url ?? `${process.cwd()}/`);
  try {
    const path = require.resolve("parquet-wasm");
    const loaded = require(path) as ParquetWasm;
    delete require.cache[path];
    return loaded;
  } catch (cause) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot load parquet-wasm: ${(cause as Error).message}; install it beside the code and leave it out of bundles`,
      { cause },
    );
  }
}
