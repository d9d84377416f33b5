// The flags of the store, and the endings that only a failing store brings about.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { systemRuntime } from "../../src/runtime/runtime.ts";
import { S3Stub } from "../storage/s3-stub.ts";
import { type LakeResult, type LakeRunOptions, lake, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
let stub: S3Stub;
let schema = "";

beforeAll(() => {
  schema = space.file("schema.json", '{"id":"long","v":"string"}');
});
afterAll(() => space.remove());
beforeEach(async () => {
  vi.stubEnv("AWS_ACCESS_KEY_ID", "key");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  stub = await S3Stub.start();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await stub.stop();
});

/** Runs the command against the stub; waiting between attempts takes no time. */
function lakeOnS3(argv: readonly string[], options: LakeRunOptions = {}): Promise<LakeResult> {
  const runtime = { ...systemRuntime, clock: new SimulatedClock(Date.now()) };
  const flags = ["--endpoint", stub.endpoint, "--path-style", "--region", "eu-north-1"];
  return lake([...argv, ...flags], { ...options, runtime });
}

const TABLE = "s3://bucket/tables/trips";

test("endpoint, path style and region reach the store", async () => {
  const created = await lakeOnS3(["create", TABLE, "--schema", schema, "--record-key", "id"]);
  expect(created).toMatchObject({ code: 0, stderr: "" });
  expect(stub.objects.has("tables/trips/.hoodie/hoodie.properties")).toBe(true);
  const written = await lakeOnS3(["write", TABLE], { stdin: '{"id":1,"v":"a"}\n' });
  expect(written).toMatchObject({ code: 0, stderr: "" });
  const read = await lakeOnS3(["read", TABLE]);
  expect(read).toMatchObject({ code: 0, stdout: '{"id":1,"v":"a"}\n' });
  const [request] = stub.requests;
  expect(request?.headers.authorization).toContain("/eu-north-1/s3/aws4_request");
});

test("a commit of unknown outcome ends with 4 and says where to look (CLI-2)", async () => {
  await lakeOnS3(["create", TABLE, "--schema", schema, "--record-key", "id"]);
  let isDown = false;
  stub.plan = ({ key, method }) => {
    if (isDown) return { status: 503, code: "SlowDown" };
    isDown = method === "PUT" && key.endsWith(".commit");
    return isDown ? "drop-after" : undefined;
  };
  const { code, stderr, stdout } = await lakeOnS3(["write", TABLE], {
    stdin: '{"id":1,"v":"a"}\n',
  });
  expect({ code, stdout }).toEqual({ code: 4, stdout: "" });
  expect(stderr).toMatch(/^lake: COMMIT_STATE_UNKNOWN: .*timeline before.*\n$/);
});

test("a store that refuses is told with its status", async () => {
  stub.plan = () => ({ status: 403, code: "AccessDenied" });
  const { code, stderr } = await lakeOnS3(["read", TABLE]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^lake: UNAVAILABLE: .*403.*\n$/);
});
