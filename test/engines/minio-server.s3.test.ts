// What the S3 storage trusts a store to do: conditional writes, both ways, also when they race.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { MinioServer } from "./support/minio-server.ts";

const Bucket = "conditions";
let directory: string;
let server: MinioServer;
let client: S3Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-minio-"));
  server = await MinioServer.start({ dataDir: directory });
  client = new S3Client(server.clientConfig);
  await server.createBucket(Bucket);
});

afterAll(async () => {
  client?.destroy();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The status of a request: 200, or what the store refused it with. */
async function statusOf(request: Promise<unknown>): Promise<number> {
  try {
    await request;
    return 200;
  } catch (error) {
    if (error instanceof S3ServiceException) return error.$metadata.httpStatusCode ?? 0;
    throw error;
  }
}

async function putObject(
  Key: string,
  Body: string,
  condition: Pick<PutObjectCommandInput, "IfMatch" | "IfNoneMatch"> = {},
): Promise<string> {
  const reply = await client.send(new PutObjectCommand({ Bucket, Key, Body, ...condition }));
  return reply.ETag ?? "";
}

async function getText(Key: string): Promise<string> {
  const reply = await client.send(new GetObjectCommand({ Bucket, Key }));
  return (await reply.Body?.transformToString()) ?? "";
}

describe("conditional writes of MinIO", () => {
  test("a second create-if-absent is refused with 412 and changes nothing", async () => {
    await putObject("created", "first", { IfNoneMatch: "*" });
    expect(await statusOf(putObject("created", "second", { IfNoneMatch: "*" }))).toBe(412);
    expect(await getText("created")).toBe("first");
  });

  test("a deleted object can be created again", async () => {
    await putObject("deleted", "first", { IfNoneMatch: "*" });
    await client.send(new DeleteObjectCommand({ Bucket, Key: "deleted" }));
    await putObject("deleted", "second", { IfNoneMatch: "*" });
    expect(await getText("deleted")).toBe("second");
  });

  test("a replace-if-unchanged succeeds with the current tag and is refused with a stale one", async () => {
    const first = await putObject("replaced", "first");
    const second = await putObject("replaced", "second", { IfMatch: first });
    expect(second).not.toBe(first);
    expect(await statusOf(putObject("replaced", "third", { IfMatch: first }))).toBe(412);
    expect(await getText("replaced")).toBe("second");
  });

  test("a replace-if-unchanged of a missing object is refused with 404", async () => {
    const tag = await putObject("gone", "first");
    await client.send(new DeleteObjectCommand({ Bucket, Key: "gone" }));
    expect(await statusOf(putObject("gone", "second", { IfMatch: tag }))).toBe(404);
    expect(await statusOf(getText("gone"))).toBe(404);
  });

  test("of twenty racing creates exactly one wins", async () => {
    const statuses = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        statusOf(putObject("raced-create", `writer ${n}`, { IfNoneMatch: "*" })),
      ),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    const winner = statuses.indexOf(200);
    expect(await getText("raced-create")).toBe(`writer ${winner}`);
  });

  test("of twenty racing replaces of one tag exactly one wins", async () => {
    const tag = await putObject("raced-replace", "start");
    const statuses = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        statusOf(putObject("raced-replace", `writer ${n}`, { IfMatch: tag })),
      ),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    const winner = statuses.indexOf(200);
    expect(await getText("raced-replace")).toBe(`writer ${winner}`);
  });

  test("a multipart upload completes under create-if-absent once", async () => {
    const complete = async (body: string): Promise<number> => {
      const Key = "multipart";
      const upload = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      const part = { Bucket, Key, UploadId: upload.UploadId, PartNumber: 1 };
      const { ETag } = await client.send(new UploadPartCommand({ ...part, Body: body }));
      const status = await statusOf(
        client.send(
          new CompleteMultipartUploadCommand({
            ...{ Bucket, Key, UploadId: upload.UploadId, IfNoneMatch: "*" },
            MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] },
          }),
        ),
      );
      if (status !== 200) {
        const abort = { Bucket, Key, UploadId: upload.UploadId };
        await client.send(new AbortMultipartUploadCommand(abort));
      }
      return status;
    };
    expect(await complete("first")).toBe(200);
    expect(await complete("second")).toBe(412);
    expect(await getText("multipart")).toBe("first");
  });

  test("a listing shows an object at once after its write and no longer after its removal", async () => {
    await putObject("listed/a", "1");
    const list = async (): Promise<(string | undefined)[]> => {
      const reply = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "listed/" }));
      return (reply.Contents ?? []).map(({ Key }) => Key);
    };
    expect(await list()).toEqual(["listed/a"]);
    await client.send(new DeleteObjectCommand({ Bucket, Key: "listed/a" }));
    expect(await list()).toEqual([]);
  });
});
