// The content of a memory storage, shared by the handles ("processes") that work on it. Every
// method is one atomic step.
import type { Clock } from "../runtime/clock.ts";
import { systemClock } from "../runtime/clock.ts";

/** An object of a memory store. */
export interface MemoryObject {
  readonly bytes: Uint8Array;
  readonly tag: string;
  readonly modifiedMs: number;
  readonly writeId: string | undefined;
}

/** Objects by path. Content is copied on the way in; callers copy it on the way out. */
export class MemoryStore {
  readonly #clock: Clock;
  readonly #objects: Map<string, MemoryObject> = new Map();
  readonly #lateChanges: (() => unknown)[] = [];
  #replacements = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  find(path: string): MemoryObject | undefined {
    return this.#objects.get(path);
  }

  paths(): Iterable<string> {
    return this.#objects.keys();
  }

  put(path: string, bytes: Uint8Array, writeId: string | undefined): string {
    this.#replacements += 1;
    const tag = `v${this.#replacements}`;
    const modifiedMs = this.#clock.now();
    this.#objects.set(path, { bytes: Uint8Array.from(bytes), tag, modifiedMs, writeId });
    return tag;
  }

  createIfAbsent(
    path: string,
    bytes: Uint8Array,
    writeId: string | undefined,
  ): "created" | "exists" {
    if (this.#objects.has(path)) return "exists";
    this.put(path, bytes, writeId);
    return "created";
  }

  replaceIfUnchanged(
    path: string,
    bytes: Uint8Array,
    tag: string,
    writeId: string | undefined,
  ): { readonly tag: string } | "changed" {
    if (this.#objects.get(path)?.tag !== tag) return "changed";
    return { tag: this.put(path, bytes, writeId) };
  }

  delete(paths: readonly string[]): void {
    for (const path of paths) this.#objects.delete(path);
  }

  /** Keeps a change that was sent but has not arrived, until `applyLateChanges`. */
  addLateChange(change: () => unknown): void {
    this.#lateChanges.push(change);
  }

  /** Lets the changes that were under way arrive, in order; returns how many there were. */
  applyLateChanges(): number {
    const changes = this.#lateChanges.splice(0);
    for (const change of changes) change();
    return changes.length;
  }

  /** A store with the same objects, tags included, which goes its own way from here. */
  copy(clock: Clock = this.#clock): MemoryStore {
    const copy = new MemoryStore(clock);
    for (const [path, object] of this.#objects) copy.#objects.set(path, object);
    copy.#replacements = this.#replacements;
    return copy;
  }
}
