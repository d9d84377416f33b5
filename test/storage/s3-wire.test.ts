// The S3 storage against a store that misbehaves on the wire: outcomes are exact, and nothing is
// deleted while one is open.
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { S3Request } from "../../src/storage/s3-client.ts";
import type { S3StorageOptions } from "../../src/storage/s3-storage.ts";
import { S3Storage } from "../../src/storage/s3-storage.ts";
import { isOutcomeUnknown, StorageError } from "../../src/storage/storage.ts";
import type { StubFault, StubManners } from "./s3-stub.ts";
import { S3Stub } from "./s3-stub.ts";
import { describeStorageContract, TIMEOUT_MS } from "./storage.contract.ts";

const SECRET = "canary-secret-access-key";
const runtime = { clock: new SimulatedClock(0), random: seededRandom(1) };

function openStub(stub: S3Stub, options: Partial<S3StorageOptions> = {}): S3Storage {
  return new S3Storage({
    bucket: "lake",
    prefix: "tables/trips",
    endpoint: stub.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: {
      accessKeyId: "AKIDEXAMPLE",
      secretAccessKey: SECRET,
      sessionToken: "canary-token",
    },
    runtime,
    ...options,
  });
}

describeStorageContract("S3 (stub)", async () => {
  const stub = await S3Stub.start();
  return { open: () => openStub(stub), close: () => stub.stop() };
});

const text = (value: string): Uint8Array => Buffer.from(value);

describe("the S3 storage on the wire", { timeout: TIMEOUT_MS }, () => {
  let stub: S3Stub;
  let storage: S3Storage;
  const sent: S3Request[] = [];
  const key = "tables/trips/a";
  const stored = (): string | undefined => stub.objects.get(key)?.bytes.toString();
  const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      (value) => expect.fail(`expected an error, got ${JSON.stringify(value)}`),
      (error: unknown) => error,
    );
  const outcomeOf = (error: unknown): string | undefined =>
    error instanceof StorageError ? error.storageOutcome : undefined;
  /** Lets the first `times` requests of an operation fail. */
  const plan = (operation: string, fault: StubFault, times = 1): void => {
    stub.plan = (request) =>
      request.operation === operation && request.nth < times ? fault : undefined;
  };

  beforeEach(async () => {
    stub = await S3Stub.start();
    sent.length = 0;
    storage = openStub(stub, { onRequest: (request) => sent.push(request) });
  });
  afterEach(async () => {
    expect(stub.operations.filter((name) => name === "DeleteObjects")).toEqual([]);
    await storage.close();
    await stub.stop();
  });

  describe("createIfAbsent", () => {
    const create = (): Promise<string> =>
      storage.createIfAbsent("a", text("mine"), { writeId: "own" });

    it("takes one request", async () => {
      expect(await create()).toBe("created");
      expect(stub.operations).toEqual(["PutObject"]);
      expect(stub.objects.get(key)?.writeId).toBe("own");
    });

    it("looks once when it finds another's object (ST-42)", async () => {
      stub.put(key, "theirs", "other");
      expect(await create()).toBe("exists");
      expect(stub.operations).toEqual(["PutObject", "HeadObject"]);
      expect(stored()).toBe("theirs");
    });

    it.each<StubFault>([
      "drop-after",
      { status: 500, code: "InternalError", isApplied: true },
      { status: 503, code: "SlowDown", isApplied: true },
      { status: 412, code: "PreconditionFailed", isApplied: true },
    ])("finds its own object after a lost reply: %j (ST-42)", async (fault) => {
      plan("PutObject", fault);
      expect(await create()).toBe("created");
      expect(stub.operations).toEqual(["PutObject", "HeadObject"]);
      expect(stored()).toBe("mine");
    });

    it("finds its own object also when the caller gave no write id", async () => {
      plan("PutObject", "drop-after");
      expect(await storage.createIfAbsent("a", text("mine"))).toBe("created");
    });

    it.each<StubFault>([
      "drop-before",
      { status: 500, code: "InternalError" },
      { status: 503, code: "SlowDown" },
    ])("looks, finds nothing, and tries again after %j (ST-42)", async (fault) => {
      plan("PutObject", fault, 2);
      expect(await create()).toBe("created");
      expect(stub.operations).toEqual([
        "PutObject",
        "HeadObject",
        "PutObject",
        "HeadObject",
        "PutObject",
      ]);
    });

    it("answers exists when another's object came between a lost request and the look", async () => {
      plan("PutObject", "drop-before");
      stub.afterEffect = () => {};
      const original = stub.plan;
      stub.plan = (request) => {
        const fault = original(request);
        if (fault) stub.put(key, "theirs", "other");
        return fault;
      };
      expect(await create()).toBe("exists");
      expect(stored()).toBe("theirs");
    });

    it("repeats a 409, which is a race and no answer (ST-43)", async () => {
      plan("PutObject", { status: 409, code: "ConditionalRequestConflict" }, 3);
      expect(await create()).toBe("created");
      expect(stub.operations).toEqual(["PutObject", "PutObject", "PutObject", "PutObject"]);
    });

    it("is not applied when every attempt is a 409 (ST-43)", async () => {
      plan("PutObject", { status: 409, code: "ConditionalRequestConflict" }, 99);
      const error = await thrownBy(create());
      expect(outcomeOf(error)).toBe("not-applied");
      expect(error).toMatchObject({ code: "UNAVAILABLE" });
      expect(stub.operations).toHaveLength(5);
    });

    it.each([
      [403, "AccessDenied", "UNAVAILABLE", "s3:PutObject"],
      [404, "NoSuchBucket", "NOT_FOUND", "the bucket does not exist"],
      [301, "PermanentRedirect", "INVALID", "region"],
      [400, "ExpiredToken", "UNAVAILABLE", "credentials"],
      [400, "EntityTooLarge", "INVALID", "refused the request"],
      [501, "NotImplemented", "UNSUPPORTED", "conditional writes"],
    ])(
      "is not applied after %i %s, and says what to do (ST-54)",
      async (status, code, kind, advice) => {
        plan("PutObject", { status, code });
        const error = await thrownBy(create());
        expect(outcomeOf(error)).toBe("not-applied");
        expect(error).toMatchObject({ code: kind, path: "a" });
        expect(String(error)).toContain("s3://lake/tables/trips/a");
        expect(String(error)).toContain(advice);
        expect(String(error)).toContain(code);
        expect(stub.operations).toEqual(["PutObject"]);
      },
    );

    it("is unknown when no attempt is answered (ST-44)", async () => {
      plan("PutObject", { status: 503, code: "SlowDown" }, 99);
      const error = await thrownBy(create());
      expect(outcomeOf(error)).toBe("unknown");
      expect(isOutcomeUnknown(error)).toBe(true);
      expect(stub.operations.filter((name) => name === "PutObject")).toHaveLength(5);
    });

    it("is unknown when the look is not answered, whatever was applied (ST-44)", async () => {
      stub.plan = ({ operation }) => (operation === "PutObject" ? "drop-after" : "drop-before");
      const error = await thrownBy(create());
      expect(outcomeOf(error)).toBe("unknown");
      expect(stored()).toBe("mine");
      expect(stub.operations).toEqual(["PutObject", ...Array(5).fill("HeadObject")]);
    });

    it("is unknown when a refusal follows an attempt that was not answered", async () => {
      stub.plan = ({ operation, nth }) => {
        if (operation !== "PutObject") return undefined;
        return nth === 0 ? "drop-before" : { status: 403, code: "AccessDenied" };
      };
      expect(outcomeOf(await thrownBy(create()))).toBe("unknown");
    });

    it("answers exists when the object that it met is gone at the look", async () => {
      stub.put(key, "theirs", "other");
      stub.afterEffect = ({ operation }) =>
        void (operation === "PutObject" && stub.objects.delete(key));
      expect(await create()).toBe("exists");
    });

    it("is not applied when there is no connection", async () => {
      const closed = await S3Stub.start();
      const unreachable = openStub(closed);
      await closed.stop();
      const error = await thrownBy(unreachable.createIfAbsent("a", text("x")));
      expect(outcomeOf(error)).toBe("not-applied");
      expect(error).toMatchObject({ code: "UNAVAILABLE" });
      expect(String(error)).toContain("ECONNREFUSED");
    });

    it.each(["hang", "drip"] as const)(
      "ends at the time limit when the store has no answer: %s (ST-44)",
      async (fault) => {
        stub.plan = () => fault;
        const hasty = openStub(stub, { requestTimeoutMs: 60, maxAttempts: 2 });
        const error = await thrownBy(hasty.createIfAbsent("a", text("x")));
        expect(outcomeOf(error)).toBe("unknown");
        await hasty.close();
      },
    );

    it("throws the reason when the signal aborts amid a request, and the outcome is unknown", async () => {
      const stop = new AbortController();
      const reason = new Error("enough");
      stub.plan = () => {
        setTimeout(() => stop.abort(reason), 5);
        return "hang";
      };
      const error = await thrownBy(storage.createIfAbsent("a", text("x"), { signal: stop.signal }));
      expect(error).toBe(reason);
      expect(isOutcomeUnknown(error)).toBe(true);
    });
  });

  describe("replaceIfUnchanged", () => {
    let tag: string;
    const replace = (): Promise<{ tag: string } | "changed"> =>
      storage.replaceIfUnchanged("a", text("mine"), tag, { writeId: "own" });
    beforeEach(() => {
      tag = stub.put(key, "before", "earlier");
    });

    it("takes one request", async () => {
      expect(await replace()).toEqual({ tag: stub.objects.get(key)?.tag });
      expect(stub.operations).toEqual(["PutObject"]);
    });

    it.each<StubFault>([
      "drop-after",
      { status: 500, code: "InternalError", isApplied: true },
      { status: 412, code: "PreconditionFailed", isApplied: true },
    ])("finds its own version after a lost reply: %j (ST-45)", async (fault) => {
      plan("PutObject", fault);
      expect(await replace()).toEqual({ tag: stub.objects.get(key)?.tag });
      expect(stub.operations).toEqual(["PutObject", "HeadObject"]);
    });

    it("tries again while the old version is there (ST-45)", async () => {
      plan("PutObject", "drop-before", 2);
      expect(await replace()).toEqual({ tag: stub.objects.get(key)?.tag });
      expect(stored()).toBe("mine");
    });

    it("is changed when the tag is another's or the object is gone (ST-45)", async () => {
      stub.put(key, "theirs", "other");
      expect(await replace()).toBe("changed");
      stub.objects.delete(key);
      expect(await replace()).toBe("changed");
      expect(stub.operations).toEqual(["PutObject", "HeadObject", "PutObject"]);
    });

    it("is unknown when its own version may have come and gone (ST-45)", async () => {
      plan("PutObject", "drop-after");
      stub.afterEffect = ({ operation }) =>
        void (operation === "PutObject" && stub.put(key, "theirs", "other"));
      expect(outcomeOf(await thrownBy(replace()))).toBe("unknown");
      expect(stored()).toBe("theirs");
    });

    it("is unknown when another's version came after an attempt without an answer (ST-45)", async () => {
      stub.plan = ({ operation, nth }) => {
        if (operation !== "PutObject") return undefined;
        if (nth === 1) stub.put(key, "theirs", "other");
        return nth === 0 ? "drop-before" : undefined;
      };
      expect(outcomeOf(await thrownBy(replace()))).toBe("unknown");
      expect(stub.operations).toEqual(["PutObject", "HeadObject", "PutObject", "HeadObject"]);
      expect(stored()).toBe("theirs");
    });

    it("is unknown when the object is gone after an attempt without an answer (ST-45)", async () => {
      plan("PutObject", "drop-after");
      stub.afterEffect = ({ operation }) =>
        void (operation === "PutObject" && stub.objects.delete(key));
      expect(outcomeOf(await thrownBy(replace()))).toBe("unknown");
    });

    it("repeats a 409 (ST-43)", async () => {
      plan("PutObject", { status: 409, code: "ConditionalRequestConflict" });
      expect(await replace()).not.toBe("changed");
      expect(stub.operations).toEqual(["PutObject", "PutObject"]);
    });

    it("is not applied after a 403", async () => {
      plan("PutObject", { status: 403, code: "AccessDenied" });
      expect(outcomeOf(await thrownBy(replace()))).toBe("not-applied");
      expect(stored()).toBe("before");
    });
  });

  describe("put", () => {
    it("repeats what was not answered, and looks first when it has a write id (ST-46)", async () => {
      plan("PutObject", "drop-after");
      await storage.put("a", text("mine"), { writeId: "own" });
      expect(stub.operations).toEqual(["PutObject", "HeadObject"]);
    });

    it("repeats without a look when it has none", async () => {
      plan("PutObject", "drop-after");
      await storage.put("a", text("mine"));
      expect(stub.operations).toEqual(["PutObject", "PutObject"]);
    });

    it.each<[StubFault, string]>([
      [{ status: 503, code: "SlowDown" }, "unknown"],
      ["drop-before", "unknown"],
      [{ status: 403, code: "AccessDenied" }, "not-applied"],
      [{ status: 429, code: "TooManyRequests" }, "not-applied"],
    ])("after %j for ever is %s (ST-46)", async (fault, outcome) => {
      plan("PutObject", fault, 99);
      expect(outcomeOf(await thrownBy(storage.put("a", text("x"))))).toBe(outcome);
    });

    it("asks for encryption where it is set, also in uploads", async () => {
      const encrypted = openStub(stub, {
        serverSideEncryption: "aws:kms",
        kmsKeyId: "key-1",
        onRequest: (request) => sent.push(request),
      });
      await encrypted.put("a", text("x"));
      await encrypted.put("b", randomBytes(9 * 1024 * 1024));
      const asked = stub.requests
        .filter(({ headers }) => headers["x-amz-server-side-encryption"] === "aws:kms")
        .filter(
          ({ headers }) => headers["x-amz-server-side-encryption-aws-kms-key-id"] === "key-1",
        );
      expect(asked.map(({ operation }) => operation)).toEqual([
        "PutObject",
        "CreateMultipartUpload",
      ]);
      await encrypted.close();
    });
  });

  describe("reads", () => {
    it.each<StubFault>([
      "truncate",
      "drop-before",
      "drop-after",
      { status: 503, code: "SlowDown" },
    ])("are repeated after %j (ST-40)", async (fault) => {
      const bytes = randomBytes(200_000);
      stub.put(key, bytes);
      plan("GetObject", fault, 2);
      expect(Buffer.from((await storage.read("a")).bytes).equals(bytes)).toBe(true);
      const part = await storage.readRange("a", { start: 10, end: 150_000 });
      expect(Buffer.from(part).equals(bytes.subarray(10, 150_000))).toBe(true);
      expect(stub.operations).toHaveLength(4);
    });

    it("never return a part of the bytes (ST-40)", async () => {
      stub.put(key, randomBytes(200_000));
      plan("GetObject", "truncate", 99);
      const error = await thrownBy(storage.read("a"));
      expect(error).toMatchObject({ code: "UNAVAILABLE" });
      expect(stub.operations).toHaveLength(5);
    });

    it("cut a whole object that came in answer to a range", async () => {
      stub.put(key, "0123456789");
      stub.plan = (request) => {
        (request.headers as Record<string, unknown>).range = undefined;
        return undefined;
      };
      const part = await storage.readRange("a", { start: 2, end: 5 });
      expect(Buffer.from(part).toString()).toBe("234");
    });

    it("name object and permission when access is denied (ST-54)", async () => {
      stub.plan = () => ({ status: 403, code: "AccessDenied" });
      for (const [call, permission] of [
        [() => storage.read("a"), "s3:GetObject"],
        [() => storage.findObject("a"), "s3:GetObject"],
        [() => storage.list("b"), "s3:ListBucket"],
      ] as const) {
        const error = await thrownBy(call());
        expect(error).toMatchObject({ code: "UNAVAILABLE" });
        expect(String(error)).toContain("s3://lake/tables/trips/");
        expect(String(error)).toContain(permission);
      }
    });

    it("end when a listing gives no way on", async () => {
      for (let index = 0; index < 150; index++) stub.put(`tables/trips/l/${index}`, "x");
      expect(await storage.list("l")).toHaveLength(150);
      expect(stub.operations).toEqual(["ListObjectsV2", "ListObjectsV2"]);
    });

    it("abort amid a body that stalls", async () => {
      stub.put(key, randomBytes(1000));
      const stop = new AbortController();
      const reason = new Error("enough");
      stub.plan = () => {
        setTimeout(() => stop.abort(reason), 10);
        return "hang";
      };
      expect(await thrownBy(storage.read("a", { signal: stop.signal }))).toBe(reason);
    });
  });

  describe("large writes", () => {
    const bytes = randomBytes(20 * 1024 * 1024);
    const write = async (): Promise<void> => {
      const writer = storage.createWriter("a", { writeId: "own" });
      for (let at = 0; at < bytes.length; at += 3_000_000) {
        await writer.write(Uint8Array.from(bytes.subarray(at, at + 3_000_000)));
      }
      await writer.close();
    };

    it("go out in parts, and one part again if its reply is lost (ST-47)", async () => {
      plan("UploadPart", "drop-after", 2);
      await write();
      expect(stub.objects.get(key)?.bytes.equals(bytes)).toBe(true);
      expect(stub.operations.filter((name) => name === "UploadPart")).toHaveLength(5);
      expect(stub.uploads.size).toBe(0);
    });

    it("are not applied, and given up, when a part is refused (ST-48)", async () => {
      plan("UploadPart", { status: 403, code: "AccessDenied" }, 99);
      expect(outcomeOf(await thrownBy(write()))).toBe("not-applied");
      expect(stub.objects.size).toBe(0);
      expect(stub.uploads.size).toBe(0);
      expect(stub.operations.at(-1)).toBe("AbortMultipartUpload");
    });

    it.each<StubFault>(["drop-after", { status: 500, code: "InternalError", isApplied: true }])(
      "find their object when the reply to the completion is lost: %j (ST-48)",
      async (fault) => {
        plan("CompleteMultipartUpload", fault);
        await write();
        expect(stub.operations.slice(-2)).toEqual(["CompleteMultipartUpload", "HeadObject"]);
      },
    );

    it("complete again when the completion was lost (ST-48)", async () => {
      plan("CompleteMultipartUpload", "drop-before");
      await write();
      expect(stub.objects.get(key)?.bytes.equals(bytes)).toBe(true);
    });

    it("leave the upload alone while the completion is unknown (ST-48)", async () => {
      plan("CompleteMultipartUpload", { status: 503, code: "SlowDown" }, 99);
      expect(outcomeOf(await thrownBy(write()))).toBe("unknown");
      expect(stub.operations).not.toContain("AbortMultipartUpload");
    });

    it("are given up when their writer is aborted, also amid a part (ST-49)", async () => {
      const writer = storage.createWriter("a");
      plan("UploadPart", "hang", 99);
      await writer.write(bytes.subarray(0, 17 * 1024 * 1024));
      while (!stub.operations.includes("UploadPart")) await new Promise((r) => setTimeout(r, 1));
      await writer.abort();
      expect(stub.uploads.size).toBe(0);
      expect(stub.operations.at(-1)).toBe("AbortMultipartUpload");
    });

    it("are given up at whatever moment their writer is aborted (ST-49)", async () => {
      for (let turns = 0; turns < 12; turns++) {
        const writer = storage.createWriter("a");
        await writer.write(bytes.subarray(0, 17 * 1024 * 1024));
        for (let turn = 0; turn < turns; turn++) await new Promise((r) => setImmediate(r));
        await writer.abort();
        expect(stub.uploads.size, `after ${turns} turns`).toBe(0);
      }
      expect(stub.objects.size).toBe(0);
    });

    it("are given up when the signal aborts, with its reason (ST-49)", async () => {
      const stop = new AbortController();
      const writer = storage.createWriter("a", { signal: stop.signal });
      plan("UploadPart", "hang", 99);
      await writer.write(bytes.subarray(0, 17 * 1024 * 1024));
      while (!stub.operations.includes("UploadPart")) await new Promise((r) => setTimeout(r, 1));
      const reason = new Error("enough");
      const closing = thrownBy(writer.close());
      stop.abort(reason);
      expect(await closing).toBe(reason);
      expect(stub.uploads.size).toBe(0);
    });

    it("have a bounded number of parts under way (ST-47)", async () => {
      let underWay = 0;
      let most = 0;
      stub.plan = ({ operation }) => {
        if (operation === "UploadPart") most = Math.max(most, ++underWay);
        return undefined;
      };
      stub.afterEffect = ({ operation }) => void (operation === "UploadPart" && underWay--);
      await storage.put("a", Buffer.alloc(48 * 1024 * 1024));
      expect(most).toBeLessThanOrEqual(4);
      expect(most).toBeGreaterThan(1);
    });
  });

  it("counts each request that is sent, repeated ones included (ST-41)", async () => {
    plan("PutObject", { status: 503, code: "SlowDown" }, 2);
    await storage.createIfAbsent("a", text("x"));
    await storage.readRange("a", { start: 0, end: 1 });
    await storage.list("some/folder");
    expect(sent).toEqual([
      { method: "PUT", operation: "PutObject", key },
      { method: "HEAD", operation: "HeadObject", key },
      { method: "PUT", operation: "PutObject", key },
      { method: "HEAD", operation: "HeadObject", key },
      { method: "PUT", operation: "PutObject", key },
      { method: "GET", operation: "GetObject", key },
      { method: "GET", operation: "ListObjectsV2", key: "tables/trips/some/folder/" },
    ]);
    expect(stub.operations).toEqual(sent.map(({ operation }) => operation));
  });

  it("keeps secrets out of errors, also when the store repeats them (ST-54)", async () => {
    const message = `the key ${SECRET} and the token canary-token do not fit`;
    stub.plan = () => ({ status: 403, code: "SignatureDoesNotMatch", message });
    const errors = [
      await thrownBy(storage.read("a")),
      await thrownBy(storage.put("a", text("x"))),
      await thrownBy(storage.list("")),
    ];
    for (const error of errors) {
      const shown = inspect(error, { depth: 20, showHidden: true });
      expect(shown).not.toContain("canary");
      expect(shown).not.toContain("Signature=");
      expect(shown).toContain("SignatureDoesNotMatch: the key *** and the token *** do not fit");
    }
  });
});

describe("deleting on the wire", () => {
  let stub: S3Stub;
  beforeAll(async () => {
    stub = await S3Stub.start();
  });
  afterAll(() => stub.stop());

  it("takes one request for a thousand objects, and repeats what was not answered (ST-53)", async () => {
    const storage = openStub(stub);
    for (let index = 0; index < 1500; index++) stub.put(`tables/trips/${index}`, "x");
    stub.plan = ({ nth }) => (nth === 0 ? "drop-after" : undefined);
    await storage.delete(Array.from({ length: 1500 }, (_, index) => `${index}`));
    expect(stub.operations).toEqual(Array(3).fill("DeleteObjects"));
    expect(stub.objects.size).toBe(0);
  });

  it("names an object that the store would not delete (ST-53)", async () => {
    const storage = openStub(stub);
    stub.plan = () => ({ status: 403, code: "AccessDenied" });
    const error = await storage.delete(["a"]).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "UNAVAILABLE", storageOutcome: "unknown", path: "a" });
    expect(String(error)).toContain("s3:DeleteObject");
  });
});

describe("the probe of conditional writes", () => {
  let stub: S3Stub;
  beforeEach(async () => {
    stub = await S3Stub.start();
  });
  afterEach(() => stub.stop());

  it("passes a store that answers rightly, once per endpoint and bucket (ST-50)", async () => {
    await Promise.all(
      [openStub(stub), openStub(stub)].map((each) => each.probeConditionalWrites()),
    );
    const count = stub.requests.length;
    expect(count).toBeGreaterThan(6);
    await openStub(stub, { prefix: "tables/other" }).probeConditionalWrites();
    expect(stub.requests).toHaveLength(count);
    await openStub(stub, { bucket: "other" }).probeConditionalWrites();
    expect(stub.requests).toHaveLength(2 * count);
    expect(stub.objects.size).toBe(0);
  });

  it.each<[StubManners, string]>([
    [{ ignoresIfNoneMatch: true }, "a conditional create over an object succeeded"],
    [{ ignoresIfMatch: true }, "a conditional replace with a stale tag succeeded"],
    [{ allowsIfMatchOnMissing: true }, "a conditional replace of a missing object succeeded"],
    [{ answersNotModified: true }, "was answered 304"],
    [{ lacksConditions: true }, "was answered 501"],
    [{ refusesAllConditions: true }, "a conditional create of a new object was answered 412"],
  ])(
    "refuses a store with the manners %j, names them, and cleans up (ST-51)",
    async (manners, fact) => {
      stub.manners = manners;
      const storage = openStub(stub);
      for (let time = 0; time < 2; time++) {
        const error = await storage.probeConditionalWrites().catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "UNSUPPORTED" });
        expect(String(error)).toContain(fact);
        expect(String(error)).toContain("s3://lake/tables/trips");
      }
      expect(stub.objects.size).toBe(0);
      expect(stub.operations.filter((name) => name === "DeleteObjects")).toHaveLength(1);
    },
  );

  it("refuses a store that looks first and writes later (ST-51)", async () => {
    stub.manners = { checksThenActs: true };
    const error = await openStub(stub)
      .probeConditionalWrites()
      .catch((thrown: unknown) => thrown);
    expect(String(error)).toContain("two racing creates had 2 winners");
  });

  it("begins anew after a disturbance, and does not keep a failure to reach a verdict (ST-52)", async () => {
    stub.plan = ({ operation, nth }) =>
      operation === "PutObject" && nth === 1 ? "drop-after" : undefined;
    await openStub(stub).probeConditionalWrites();
    const broken = await S3Stub.start();
    broken.plan = () => ({ status: 403, code: "AccessDenied" });
    const storage = openStub(broken);
    const error = await storage.probeConditionalWrites().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    broken.plan = () => undefined;
    await storage.probeConditionalWrites();
    await broken.stop();
  });
});
