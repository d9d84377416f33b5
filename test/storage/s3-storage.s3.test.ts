// The S3 storage against a real MinIO.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { S3Request } from "../../src/storage/s3-client.ts";
import type { S3StorageOptions } from "../../src/storage/s3-storage.ts";
import { S3Storage } from "../../src/storage/s3-storage.ts";
import { MinioServer } from "../engines/support/minio-server.ts";
import { describeStorageContract } from "./storage.contract.ts";

let folder: string;
let server: MinioServer;

function openMinio(options: Partial<S3StorageOptions> = {}): S3Storage {
  return new S3Storage({
    bucket: "contract",
    prefix: "some where/table+1",
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
    ...options,
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hudi-lake-minio-"));
  server = await MinioServer.start({ dataDir: folder });
  await server.createBucket("contract");
});
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

describeStorageContract("S3 (MinIO)", () => ({ open: () => openMinio(), close: async () => {} }), {
  runs: 30,
});

describe("the S3 storage on MinIO", () => {
  it("makes one request for each small call, and no HEAD (ST-41)", async () => {
    const sent: S3Request[] = [];
    const storage = openMinio({ onRequest: (request) => sent.push(request) });
    await storage.put("counted/a", Buffer.from("x"));
    await storage.createIfAbsent("counted/b", Buffer.from("x"));
    const { tag } = await storage.read("counted/b");
    await storage.replaceIfUnchanged("counted/b", Buffer.from("y"), tag);
    await storage.readRange("counted/a", { start: 0, end: 1 });
    await storage.list("counted");
    await storage.delete(["counted/a", "counted/b"]);
    expect(sent.map(({ method, operation }) => `${method} ${operation}`)).toEqual([
      "PUT PutObject",
      "PUT PutObject",
      "GET GetObject",
      "PUT PutObject",
      "GET GetObject",
      "GET ListObjectsV2",
      "POST DeleteObjects",
    ]);
    await storage.close();
  });

  it("lists more objects than one page holds", async () => {
    const storage = openMinio();
    const names = Array.from({ length: 1100 }, (_, index) => `pages/${index}`);
    for (let from = 0; from < names.length; from += 50) {
      const batch = names.slice(from, from + 50);
      await Promise.all(batch.map((name) => storage.put(name, new Uint8Array(0))));
    }
    expect(await storage.list("pages")).toHaveLength(1100);
    expect(await storage.list("pages", { recursive: false, startAfter: "pages/5" })).toHaveLength(
      names.filter((name) => name > "pages/5").length,
    );
    await storage.delete(names);
    await storage.close();
  });

  it("leaves no upload behind a writer that was aborted (ST-49)", async () => {
    const sent: S3Request[] = [];
    const storage = openMinio({ onRequest: (request) => sent.push(request) });
    const writer = storage.createWriter("uploads/aborted");
    await writer.write(randomBytes(30 * 1024 * 1024));
    await writer.abort();
    expect(sent.at(-1)?.operation).toBe("AbortMultipartUpload");
    expect(await storage.findObject("uploads/aborted")).toBeUndefined();
    await storage.close();
  });

  it("names the bucket and what to do when it is missing, or the key is wrong (ST-54)", async () => {
    const missing = openMinio({ bucket: "no-such-bucket" });
    await expect(missing.list("")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(missing.put("a", Buffer.from("x"))).rejects.toThrow("the bucket does not exist");
    const credentials = { accessKeyId: server.accessKeyId, secretAccessKey: "not-the-secret" };
    const stranger = openMinio({ credentials });
    await expect(stranger.read("a")).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await expect(stranger.createIfAbsent("a", Buffer.from("x"))).rejects.toMatchObject({
      storageOutcome: "not-applied",
    });
  });
});
