// A write that lost: to another writer, or to its own lateness. It may be done again.
import { HudiError, type HudiErrorDetails } from "../errors.ts";

/** The write took no effect and may be done again under a new instant; code `CONFLICT`. */
export class WriteConflict extends HudiError {
  override readonly name: string = "WriteConflict";
  constructor(message: string, details: HudiErrorDetails) {
    super("CONFLICT", message, details);
  }
}
