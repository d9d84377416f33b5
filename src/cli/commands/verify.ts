// `lake verify`: checks a table and says what is wrong, one finding a line.
// Rules: spec/protocol/verify.md VF-15.
import type { Command } from "commander";
import { HudiError, isHudiError } from "../../errors.ts";
import type { Finding } from "../../services/verify-findings.ts";
import type { VerifyReport } from "../../services/verify-table.ts";
import { addCommonFlags, type CommonFlags } from "../flags.ts";
import type { LakeIo } from "../lake-io.ts";
import { useTable } from "../open-table.ts";
import { escapeControls, formatCount, formatNoun } from "../output/display-text.ts";
import { printResult } from "../print.ts";
import { startProgress } from "../progress.ts";

interface VerifyFlags extends CommonFlags {
  readonly quick?: true;
}

/** Declares the command. */
export function addVerifyCommand(lake: Command, io: LakeIo): void {
  const command = lake
    .command("verify")
    .summary("check a table and say what is wrong")
    .description(
      "Checks a table against the rules of the format: properties, timeline, plans, files, and unless --quick is given every row. Nothing is changed. The exit code is 1 when an error is found.",
    )
    .argument("<table>", "a path, file:// or s3://bucket/prefix")
    .option("--quick", "read the timeline, listings and footers only, no rows");
  addCommonFlags(command);
  command.action((table: string, flags: VerifyFlags) => runVerify(io, table, flags));
}

async function runVerify(io: LakeIo, location: string, flags: VerifyFlags): Promise<void> {
  const report = await verify(io, location, flags);
  const { findings, errors, warnings, omitted } = report;
  const more = omitted === 0 ? "" : `and ${formatNoun(omitted, "finding")} more\n`;
  const lines = findings.map((finding) => `${formatFinding(finding)}\n`).join("");
  const text = `${lines}${more}${formatSummary(report)}`;
  await printResult(io, flags.json, { table: location, ...report }, text);
  if (errors === 0) return;
  throw new HudiError(
    "CORRUPT",
    `verified table ${location}: found ${formatNoun(errors, "error")} and ${formatNoun(warnings, "warning")}, expected none; the findings say what to do`,
  );
}

async function verify(io: LakeIo, location: string, flags: VerifyFlags): Promise<VerifyReport> {
  let done = "looking at the timeline";
  const progress = startProgress(io, () => `${done} `);
  try {
    return await useTable(location, flags, io, (table) =>
      table.verify({
        signal: io.signal,
        level: flags.quick ? "quick" : "full",
        onProgress: ({ fileGroups, ofFileGroups }) => {
          done = `${formatCount(fileGroups)} of ${formatNoun(ofFileGroups, "file group")}`;
        },
      }),
    );
  } catch (error) {
    // A table that cannot be opened has its one finding as well.
    if (!isHudiError(error, "CORRUPT") || error.path === undefined) throw error;
    return unopened(error, flags.quick ? "quick" : "full");
  } finally {
    progress.stop();
  }
}

function unopened(error: HudiError, level: VerifyReport["level"]): VerifyReport {
  const rule = error.message.includes("checksum") ? "TBL-3" : "TBL-4";
  const remedy = "restore the file from its backup or a copy";
  const { path, message: found } = error;
  return {
    level,
    findings: [{ rule, severity: "error", path, found, remedy }],
    omitted: 0,
    errors: 1,
    warnings: 0,
    checked: { instants: 0, partitions: 0, files: 0, fileGroups: 0, rows: 0 },
  };
}

/** `error VF-7 q/f.parquet: what was found; what to do`. */
function formatFinding(finding: Finding): string {
  const { severity, rule, path, instant, partitionPath, fileId, found, remedy } = finding;
  const group = fileId === undefined ? undefined : `${partitionPath ?? ""}/${fileId}`;
  const place = path ?? group ?? instant ?? "table";
  return escapeControls(`${severity.padEnd(7)} ${rule.padEnd(7)} ${place}: ${found}; ${remedy}`);
}

function formatSummary({ level, checked, errors, warnings }: VerifyReport): string {
  const { instants, partitions, files, fileGroups, rows } = checked;
  const parts = [
    formatNoun(instants, "instant"),
    formatNoun(partitions, "partition"),
    formatNoun(files, "file"),
    formatNoun(fileGroups, "file group"),
    ...(level === "full" ? [formatNoun(rows, "row")] : []),
  ];
  const result =
    errors + warnings === 0
      ? "nothing is wrong"
      : `${formatNoun(errors, "error")}, ${formatNoun(warnings, "warning")}`;
  return `checked ${parts.join(", ")}: ${result}\n`;
}
