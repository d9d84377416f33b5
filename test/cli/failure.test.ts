import { describe, expect, test } from "vitest";
import { type FailureStyle, findExitCode, formatFailure } from "../../src/cli/failure.ts";
import { UsageError } from "../../src/cli/usage-error.ts";
import { HudiError, type HudiErrorCode } from "../../src/errors.ts";

const going = new AbortController().signal;
const stopped = AbortSignal.abort();
const TEXT: FailureStyle = { json: false, verbose: false };

describe("exit codes (CLI-2)", () => {
  const failed: HudiErrorCode[] = [
    "INVALID",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "UNSUPPORTED",
    "EXPIRED",
    "UNAVAILABLE",
    "CORRUPT",
  ];
  test.each(failed)("%s is 1", (code) => {
    expect(findExitCode(new HudiError(code, "x"), going)).toBe(1);
  });

  test("usage is 2, a conflict 3, an unknown outcome 4, an interruption 130", () => {
    expect(findExitCode(new UsageError("x"), going)).toBe(2);
    expect(findExitCode(new HudiError("CONFLICT", "x"), going)).toBe(3);
    expect(findExitCode(new HudiError("COMMIT_STATE_UNKNOWN", "x"), going)).toBe(4);
    expect(findExitCode(stopped.reason, stopped)).toBe(130);
    expect(findExitCode(new Error("fault"), going)).toBe(1);
  });

  test("an unknown outcome outweighs the interruption that led to it (CLI-5)", () => {
    expect(findExitCode(new HudiError("COMMIT_STATE_UNKNOWN", "x"), stopped)).toBe(4);
    expect(findExitCode(new HudiError("CORRUPT", "x"), stopped)).toBe(1);
  });
});

describe("the line of an error (CLI-4)", () => {
  test("has code, fact and remedy", () => {
    const error = new HudiError("CONFLICT", "cannot complete 1: file group a was written by 2");
    expect(formatFailure(error, going, TEXT)).toBe(
      "lake: CONFLICT: cannot complete 1: file group a was written by 2 (run the command again)\n",
    );
    const unknown = new HudiError("COMMIT_STATE_UNKNOWN", "cannot tell");
    expect(formatFailure(unknown, going, TEXT)).toContain("look for the instant in lake timeline");
  });

  test("adds no second remedy, and names the flag of an option", () => {
    const told = new HudiError("EXPIRED", "cannot read as of 1: it was cleaned; read again");
    expect(formatFailure(told, going, TEXT)).toBe(`lake: EXPIRED: ${told.message}\n`);
    const option = new HudiError("UNSUPPORTED", 'cannot write: open it with metadataTable: "drop"');
    expect(formatFailure(option, going, TEXT)).toContain("(the flag is --drop-metadata-table)");
  });

  test("escapes what would break the line or drive the terminal", () => {
    const error = new HudiError("INVALID", "found \u001b[2J\nlake: DONE\u202e");
    expect(formatFailure(error, going, TEXT)).toBe(
      "lake: INVALID: found \\u001b[2J\\nlake: DONE\\u202e\n",
    );
    const verbose = formatFailure(error, going, { json: false, verbose: true });
    expect(verbose).not.toContain("\u001b");
  });

  test("is JSON when asked for, and tells faults of our own apart", () => {
    const error = new HudiError("UNAVAILABLE", "no answer", { path: "a", instant: "1" });
    expect(JSON.parse(formatFailure(error, going, { json: true, verbose: false })).error).toEqual({
      code: "UNAVAILABLE",
      message: "no answer",
      remedy: "check the location, credentials and endpoint, then try again",
      path: "a",
      instant: "1",
      retryable: true,
    });
    expect(formatFailure(new TypeError("x is undefined"), going, TEXT)).toMatch(
      /^lake: INTERNAL: x is/,
    );
    expect(formatFailure(stopped.reason, stopped, TEXT)).toMatch(/^lake: INTERRUPTED: /);
  });
});
