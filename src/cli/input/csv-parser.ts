// Cuts CSV text into records of fields. Knows nothing of columns and types.
import { HudiError } from "../../errors.ts";
import { MAX_LINE_BYTES } from "./line-splitter.ts";

/** One record: its fields (null for a bare empty one) and the line it begins on. */
export interface CsvRecord {
  readonly fields: readonly (string | null)[];
  readonly line: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Before a field, in a bare one, in a quoted one, or behind a quote that may end it. */
type State = "start" | "bare" | "quoted" | "ended";

/** Parses the bytes of one input, chunk by chunk. */
export class CsvParser {
  readonly #name: string;
  readonly #decoder: InstanceType<typeof TextDecoder> = new TextDecoder("utf-8", { fatal: true });
  #state: State = "start";
  #text = "";
  #fields: (string | null)[] = [];
  #records: CsvRecord[] = [];
  #line = 1;
  #recordLine = 1;
  #recordChars = 0;
  /** The last character was a carriage return that ended a record. */
  #afterReturn = false;

  constructor(name: string) {
    this.#name = name;
  }

  /** The records that this chunk completes. Throws `INVALID` naming the line. */
  push(chunk: Uint8Array): CsvRecord[] {
    this.#parse(this.#decode(chunk, true));
    return this.#records.splice(0);
  }

  /** The last record, where no line break ends it. */
  finish(): CsvRecord[] {
    this.#parse(this.#decode(new Uint8Array(0), false));
    if (this.#state === "quoted") {
      throw this.#refuse(this.#recordLine, "found a quote that does not end before the input does");
    }
    if (this.#state !== "start" || this.#fields.length > 0) this.#endRecord();
    return this.#records.splice(0);
  }

  #decode(chunk: Uint8Array, stream: boolean): string {
    try {
      return this.#decoder.decode(chunk, { stream });
    } catch {
      throw this.#refuse(
        this.#line,
        "found bytes that are no UTF-8 in it or soon after, expected UTF-8",
      );
    }
  }

  #parse(text: string): void {
    let from = 0;
    while (from < text.length) {
      const end = this.#state === "quoted" ? findQuote(text, from) : findSpecial(text, from);
      if (end > from) this.#takeText(text.slice(from, end));
      if (end < text.length) this.#takeSpecial(text.charCodeAt(end));
      from = end + 1;
    }
  }

  #takeText(text: string): void {
    this.#afterReturn = false;
    if (this.#state === "ended") {
      throw this.#refuse(
        this.#line,
        `found ${JSON.stringify(text.slice(0, 20))} behind a closing quote, expected a comma`,
      );
    }
    if (this.#state === "start") this.#state = "bare";
    else if (this.#state === "quoted") this.#countLines(text);
    this.#text += text;
    this.#countChars(text.length);
  }

  #countChars(count: number): void {
    this.#recordChars += count;
    if (this.#recordChars <= MAX_LINE_BYTES) return;
    throw this.#refuse(
      this.#recordLine,
      `the record that begins there is longer than ${MAX_LINE_BYTES} characters`,
    );
  }

  #countLines(text: string): void {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#line += 1;
  }

  #takeSpecial(code: number): void {
    const isSecondHalf = this.#afterReturn && code === LINE_FEED;
    this.#afterReturn = code === CARRIAGE_RETURN;
    if (isSecondHalf) return;
    if (code === QUOTE) this.#takeQuote();
    else if (code === COMMA) this.#endField();
    else {
      this.#endRecord();
      this.#line += 1;
      this.#recordLine = this.#line;
    }
  }

  #takeQuote(): void {
    if (this.#state === "start") this.#state = "quoted";
    else if (this.#state === "quoted") this.#state = "ended";
    else if (this.#state === "ended") {
      this.#countChars(1);
      this.#text += '"';
      this.#state = "quoted";
    } else {
      throw this.#refuse(this.#line, "found a quote inside a field that does not begin with one");
    }
  }

  #endField(): void {
    this.#countChars(1);
    this.#fields.push(this.#state === "start" ? null : this.#text);
    this.#text = "";
    this.#state = "start";
  }

  #endRecord(): void {
    this.#endField();
    this.#records.push({ fields: this.#fields, line: this.#recordLine });
    this.#fields = [];
    this.#recordChars = 0;
  }

  #refuse(line: number, fact: string): HudiError {
    return new HudiError("INVALID", `cannot use line ${line} of ${this.#name}: ${fact}`);
  }
}

function findQuote(text: string, from: number): number {
  const at = text.indexOf('"', from);
  return at < 0 ? text.length : at;
}

function findSpecial(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === LINE_FEED || code === QUOTE || code === CARRIAGE_RETURN)
      return at;
  }
  return text.length;
}
