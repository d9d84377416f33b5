// Settings of writing: numbers a user may tune, with their defaults.
import type { ParquetCodec } from "../format/parquet-writer.ts";
import { DEFAULT_HEARTBEAT, type HeartbeatSettings } from "./heartbeat.ts";
import { DEFAULT_LEASE, type LeaseSettings } from "./write-lock.ts";

/** How writes are carried out. */
export interface WriteSettings {
  /** `zstd` (level 1) by default. */
  readonly codec: ParquetCodec;
  /** Size from which a new file group is closed, in bytes; Hudi's default is 120 MiB. */
  readonly maxFileBytes: number;
  /** Inserts fill file groups smaller than this first, in bytes; 0 switches that off. */
  readonly smallFileBytes: number;
  /** Inserts and bulk inserts are written in pieces of this size in memory, in bytes. */
  readonly insertBatchBytes: number;
  /** A log file of this size, in bytes, is followed by another one. */
  readonly maxLogFileBytes: number;
  readonly bloom: {
    readonly entries: number;
    readonly falsePositiveRate: number;
    readonly maxEntries: number;
  };
  /** How often a write is tried anew after another writer won. */
  readonly conflictRetries: number;
  readonly lease: LeaseSettings;
  readonly heartbeat: HeartbeatSettings;
}

const MIB = 1024 * 1024;

export const DEFAULT_WRITE_SETTINGS: WriteSettings = {
  codec: "zstd",
  maxFileBytes: 120 * MIB,
  smallFileBytes: 100 * MIB,
  insertBatchBytes: 256 * MIB,
  maxLogFileBytes: 1024 * MIB,
  bloom: { entries: 60_000, falsePositiveRate: 1e-9, maxEntries: 100_000 },
  conflictRetries: 10,
  lease: DEFAULT_LEASE,
  heartbeat: DEFAULT_HEARTBEAT,
};
