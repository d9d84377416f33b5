// A wrong command line: what can be judged without looking at the table. Rules: spec/protocol/cli.md.
import { HudiError } from "../errors.ts";

/** The command line is wrong; the process ends with exit code 2. */
export class UsageError extends HudiError {
  override readonly name: string = "UsageError";

  constructor(message: string, cause?: unknown) {
    super("INVALID", message, { cause });
  }
}

/** Runs a check of an argument; an `INVALID` that it throws becomes a `UsageError`. */
export function checkUsage<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof HudiError && error.code === "INVALID") {
      throw new UsageError(error.message, error);
    }
    throw error;
  }
}
