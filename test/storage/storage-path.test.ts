import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareUtf8, requireStoragePath } from "../../src/storage/storage-path.ts";
import { AWKWARD_NAMES, HOSTILE_PATHS } from "./storage.contract.ts";

const wellFormed = fc.string({ unit: "binary" });

describe("storage paths", () => {
  it("are ordered as their UTF-8 bytes (ST-2)", () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (left, right) => {
        const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
        expect(Math.sign(compareUtf8(left, right))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
    expect(compareUtf8("\uffee", "🦉")).toBeLessThan(0);
  });

  it("are taken or refused by their segments (ST-1)", () => {
    for (const path of HOSTILE_PATHS) {
      expect(() => requireStoragePath(path), path).toThrow(/cannot use storage path/);
    }
    for (const name of AWKWARD_NAMES) expect(requireStoragePath(`a/${name}`)).toBe(`a/${name}`);
    expect(() => requireStoragePath(7 as never)).toThrow("it is no string");
  });

  it("that are accepted stay below the root when they are joined to it (ST-1)", () => {
    const segment = fc.oneof(fc.constantFrom("..", ".", "", "a", "\\", "...", ".. "), wellFormed);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 6 }), (segments) => {
        const path = segments.join("/");
        let isAccepted = true;
        try {
          requireStoragePath(path);
        } catch {
          isAccepted = false;
        }
        if (!isAccepted) return;
        const { pathname } = new URL(
          `file:///root/${path.split("/").map(encodeURIComponent).join("/")}`,
        );
        expect(pathname.startsWith("/root/")).toBe(true);
        expect(pathname.split("/")).toHaveLength(path.split("/").length + 2);
      }),
      { numRuns: 2000 },
    );
  });
});
