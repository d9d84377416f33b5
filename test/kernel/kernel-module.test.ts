// The compiled kernel in the source tree is the one that src/kernel compiles to.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileKernel } from "./compile-kernel.ts";

test("the committed kernel is compiled from its source", async () => {
  const committed = new URL("../../src/format/kernel-module.ts", import.meta.url);
  expect(readFileSync(committed, "utf8")).toBe(await compileKernel());
});
