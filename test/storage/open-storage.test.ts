import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { LocalStorage } from "../../src/storage/local-storage.ts";
import { openStorage } from "../../src/storage/open-storage.ts";
import { S3Storage } from "../../src/storage/s3-storage.ts";

describe("openStorage", () => {
  it("opens paths and file URLs as directories (ST-60)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "hudi-lake-open #%20-"));
    for (const location of [folder, pathToFileURL(folder), pathToFileURL(folder).href]) {
      const storage = openStorage(location);
      expect(storage).toBeInstanceOf(LocalStorage);
      expect(storage.location).toBe(folder);
    }
    expect(openStorage("relative/table").location).toBe(join(process.cwd(), "relative/table"));
    expect(openStorage("with:colon").location).toBe(join(process.cwd(), "with:colon"));
    await rm(folder, { recursive: true });
  });

  it.each<[string | URL, string]>([
    ["s3://lake", "s3://lake"],
    ["s3://lake/", "s3://lake"],
    ["s3a://lake/tables/trips/", "s3://lake/tables/trips"],
    ["S3://lake/a b+c%20d", "s3://lake/a b+c%20d"],
    [new URL("s3://lake/tables/a%20b"), "s3://lake/tables/a b"],
  ])("opens %s as a bucket (ST-60)", (location, expected) => {
    const storage = openStorage(location, { endpoint: "http://127.0.0.1:1" });
    expect(storage).toBeInstanceOf(S3Storage);
    expect(storage.location).toBe(expected);
  });

  it.each<[string | URL, string, string]>([
    ["", "INVALID", "empty"],
    ["a\0b", "INVALID", "cannot open location"],
    ["s3://", "INVALID", "names no bucket"],
    ["s3:///key", "INVALID", "names no bucket"],
    ["s3://lake/a//b", "INVALID", "empty segment"],
    ["s3://lake/../b", "INVALID", "segment .."],
    ["s3:lake/a", "INVALID", "names no bucket"],
    ["memory:", "INVALID", "pass a MemoryStorage"],
    ["gs://lake/a", "UNSUPPORTED", "no storage for gs:"],
    ["hdfs://name/a", "UNSUPPORTED", "no storage for hdfs:"],
    [new URL("https://host/a?token=canary"), "UNSUPPORTED", "https:"],
    [new URL("s3://lake/a?versionId=1"), "INVALID", "query"],
    ["file://host/share", "INVALID", "cannot open location"],
  ])("refuses %j and says why (ST-61)", (location, code, fact) => {
    const open = () => openStorage(location);
    expect(open).toThrow(expect.objectContaining({ code }));
    expect(open).toThrow(fact);
  });

  it("refuses credentials in a location or endpoint, and does not repeat them (ST-61)", () => {
    for (const open of [
      () => openStorage("s3://AKID:canary@lake/a"),
      () => openStorage(new URL("s3://AKID:canary@lake/a")),
      () => openStorage("s3://lake/a", { endpoint: "http://AKID:canary@127.0.0.1" }),
    ]) {
      expect(open).toThrow(expect.objectContaining({ code: "INVALID" }));
      expect(open).not.toThrow("canary");
    }
  });

  it("refuses an endpoint that is no web address (ST-61)", () => {
    for (const endpoint of ["minio:9000", "ftp://host", "::"]) {
      expect(() => openStorage("s3://lake", { endpoint })).toThrow("cannot use endpoint");
    }
  });

  it("loads the AWS SDK only when a bucket is asked (ST-62)", async () => {
    const module = new URL("../../src/storage/open-storage.ts", import.meta.url).href;
    const script = `
      import { registerHooks } from "node:module";
      const names = [];
      registerHooks({ resolve: (name, context, next) => (names.push(name), next(name, context)) });
      const { openStorage } = await import(${JSON.stringify(module)});
      const bucket = openStorage("s3://lake", { endpoint: "http://127.0.0.1:1", maxAttempts: 1 });
      await openStorage("some/where").list("");
      const isLoaded = () => names.some((name) => /aws-sdk|smithy/.test(name));
      const before = isLoaded();
      await bucket.list("").catch(() => {});
      console.log(before, isLoaded());
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", script]);
    expect(output.toString().trim()).toBe("false true");
  });
});
