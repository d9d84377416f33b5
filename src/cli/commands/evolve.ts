// `lake evolve`: changes the columns of a table in one commit.
import type { Command } from "commander";
import { type EngineName, KNOWN_ENGINES } from "../../layout/reader-limits.ts";
import type { SchemaChange } from "../../layout/schema-change.ts";
import { addCommonFlags, type CommonFlags, parseNames } from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { printResult } from "../print.ts";
import { UsageError } from "../usage-error.ts";

interface EvolveFlags extends CommonFlags {
  readonly rewrite?: true;
  readonly readers?: readonly string[];
  readonly dropMetadataTable?: true;
}

/** Declares the command. */
export function addEvolveCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("evolve")
    .summary("change the columns")
    .description("Changes the columns of a table, all changes in one commit.")
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .argument("<changes...>", 'in this order, each in quotes: "add note string?"')
    .option("--rewrite", "write every data file anew, so that each engine reads them")
    .option(
      "--readers <engines>",
      `only these have to read the table: ${KNOWN_ENGINES.join(",")}, or none`,
      parseNames,
    )
    .option("--drop-metadata-table", "switch off a metadata table, which would become stale");
  addCommonFlags(command);
  command.addHelpText("after", HELP);
  command.action((table: string, changes: readonly string[], flags: EvolveFlags) =>
    runEvolve(io, table, changes, flags),
  );
}

const HELP = `
Changes:
  add <column> <type> [first | after <column>]   a new column, null in old rows
  widen <column> <type> [inexact]                such as int to long
  nullable <column>                              it may hold null from now on
  move <column> first | after <column> | last
  drop <column>
  rename <column> <name>

A column inside another is named by its path: address.city, tags.element,
prices.value. What an engine would read wrongly beside old files is refused and
names it; --rewrite or --readers lifts that.

Examples:
  lake evolve trips "add note string? after fare" "widen seats long"
  lake evolve trips "rename fare amount" --rewrite`;

async function runEvolve(
  io: LakeIo,
  location: string,
  texts: readonly string[],
  flags: EvolveFlags,
): Promise<void> {
  const changes = texts.map(parseChange);
  const readers = flags.readers && parseEngines(flags.readers);
  const { signal } = io;
  await useTable(
    location,
    flags,
    io,
    async (table) => {
      const { instant } = await table.evolve(changes, { rewrite: flags.rewrite, readers, signal });
      const document = { instant, changes, rewritten: flags.rewrite === true };
      const noun = changes.length === 1 ? "change" : "changes";
      await printResult(io, flags.json, document, `${instant} commit: ${changes.length} ${noun}\n`);
    },
    { metadataTable: flags.dropMetadataTable ? "drop" : undefined },
  );
}

/** The change that a text of the command line means. Throws `UsageError`. */
function parseChange(text: string): SchemaChange {
  const words = text.trim().split(/\s+/);
  const [verb = "", column, ...rest] = words;
  const refuse = (): never => {
    throw new UsageError(
      `cannot use change ${JSON.stringify(text)}: lake evolve --help lists what there is`,
    );
  };
  if (column === undefined) return refuse();
  const [one] = rest;
  switch (verb) {
    case "add": {
      const { place, left } = takePlace(rest);
      if (left.length === 0) return refuse();
      return { add: column, type: left.join(" "), ...place };
    }
    case "widen": {
      const isInexact = rest.length > 1 && rest.at(-1) === "inexact";
      const to = (isInexact ? rest.slice(0, -1) : rest).join(" ");
      if (to === "") return refuse();
      return { widen: column, to, ...(isInexact && { inexact: true }) };
    }
    case "move": {
      const { place, left } = rest.join(" ") === "last" ? { place: {}, left: [] } : takePlace(rest);
      const isPlaced = rest.length > 0 && left.length === 0;
      return isPlaced ? { move: column, ...place } : refuse();
    }
    case "nullable":
      return rest.length === 0 ? { nullable: column } : refuse();
    case "drop":
      return rest.length === 0 ? { drop: column } : refuse();
    case "rename":
      return one !== undefined && rest.length === 1 ? { rename: column, to: one } : refuse();
    default:
      return refuse();
  }
}

/** Takes `first` or `after <column>` off the end of the words. */
function takePlace(words: readonly string[]): {
  readonly place: { readonly first?: true; readonly after?: string };
  readonly left: readonly string[];
} {
  if (words.at(-1) === "first") return { place: { first: true }, left: words.slice(0, -1) };
  if (words.at(-2) === "after") {
    return { place: { after: words.at(-1) as string }, left: words.slice(0, -2) };
  }
  return { place: {}, left: words };
}

function parseEngines(names: readonly string[]): readonly EngineName[] {
  if (names.join() === "none") return [];
  return names.map((name) => {
    const known = KNOWN_ENGINES.find((engine) => engine === name);
    if (known) return known;
    throw new UsageError(
      `cannot use reader ${JSON.stringify(name)}: expected ${KNOWN_ENGINES.join(", ")} or none`,
    );
  });
}
