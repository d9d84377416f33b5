// What a check of a table found: one fact a finding, with the rule that it breaks and what to do.
// Rules: spec/protocol/verify.md, VF-2.
import { type HudiError, isHudiError } from "../errors.ts";

/** `error`: readers fail or get wrong rows. `warning`: none do yet, or it may be meant. */
export type FindingSeverity = "error" | "warning";

/** One thing that is wrong. */
export interface Finding {
  /** A numbered rule of `spec/`, for example `CM-8`. */
  readonly rule: string;
  readonly severity: FindingSeverity;
  /** Relative to the table; absent where no one file is meant. */
  readonly path?: string | undefined;
  readonly instant?: string | undefined;
  readonly partitionPath?: string | undefined;
  readonly fileId?: string | undefined;
  /** The fact, and what was expected in its place. */
  readonly found: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Findings that are kept; what is more is counted. */
const MOST_FINDINGS = 1_000;

/** Takes findings in; only a bounded number is kept. */
export class FindingList {
  readonly #kept: Finding[] = [];
  errors = 0;
  warnings = 0;

  add(finding: Finding): void {
    if (finding.severity === "error") this.errors += 1;
    else this.warnings += 1;
    if (this.#kept.length < MOST_FINDINGS) this.#kept.push(finding);
  }

  /**
   * Runs a step; damage that it meets becomes a finding, and the result is then undefined. What this
   * library does not read is no damage, and neither is a storage that fails: the latter is thrown.
   */
  async catch<T>(
    finding: Omit<Finding, "found" | "severity">,
    step: () => Promise<T> | T,
    ruleOf: (error: HudiError) => string = () => finding.rule,
  ): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      if (isHudiError(error, "UNSUPPORTED")) return undefined;
      if (!isHudiError(error, "CORRUPT") && !isHudiError(error, "NOT_FOUND")) throw error;
      const found = error.code === "NOT_FOUND" ? "it is gone" : error.message;
      this.add({ ...finding, rule: ruleOf(error), severity: "error", found });
      return undefined;
    }
  }

  /** In the order of their places. */
  list(): readonly Finding[] {
    const placeOf = (finding: Finding): string =>
      `${finding.severity} ${finding.path ?? finding.instant ?? ""}`;
    return this.#kept.toSorted((a, b) => {
      const [left, right] = [placeOf(a), placeOf(b)];
      return left < right ? -1 : left > right ? 1 : 0;
    });
  }

  get omitted(): number {
    return this.errors + this.warnings - this.#kept.length;
  }
}
