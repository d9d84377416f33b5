// Carries the writes of a shape out with the library. Run as a program it does so in a process of
// its own, so that the time zone of the writer can be chosen:
// node test/engines/support/lake-writer.ts <shape> <path>

import { argv } from "node:process";
import { pathToFileURL } from "node:url";

import { type Change, type Commit, HudiTable, type TableOptions } from "../../../src/index.ts";
import { runTool } from "./engine-cache.ts";
import type { WriteStep } from "./expected-table.ts";
import { type LakeRow, toLakeRow } from "./lake-rows.ts";
import type { Shape } from "./shape-builder.ts";
import { requireShape } from "./shapes.ts";

/** Carries one write out. */
export async function writeStep(table: HudiTable, step: WriteStep): Promise<Commit> {
  const schema = await table.schema();
  const lakeRow = (row: Parameters<typeof toLakeRow>[0]): LakeRow => toLakeRow(row, schema);
  switch (step.kind) {
    case "insert":
      return table.insert(step.rows.map(lakeRow));
    case "bulkInsert":
      return table.bulkInsert(step.rows.map(lakeRow));
    case "upsert":
      return table.upsert(step.rows.map(lakeRow));
    case "partial":
      return table.upsert(step.rows.map(lakeRow), { partial: true });
    case "insertOverwrite":
      return table.insertOverwrite(step.rows.map(lakeRow));
    case "insertOverwriteTable":
      return table.insertOverwriteTable(step.rows.map(lakeRow));
    case "deletePartitions": {
      const [name = ""] = table.config.partitionFields;
      return table.deletePartitions(step.values.map((value) => lakeRow({ [name]: value })));
    }
    case "delete": {
      const { recordKeyFields, partitionFields } = table.config;
      const names = [...recordKeyFields, ...partitionFields].map(
        (name) => name.split(".")[0] ?? "",
      );
      const keyOf = (row: LakeRow): LakeRow =>
        Object.fromEntries(names.map((name) => [name, row[name]]));
      return table.delete(step.keys.map((key) => keyOf(lakeRow(key))));
    }
    case "apply":
      return table.apply(
        step.changes.map(
          ({ op, key, before, after, unchanged }): Change<LakeRow> => ({
            op,
            key: lakeRow(key),
            before: before && lakeRow(before),
            after: after && lakeRow(after),
            unchanged,
          }),
        ),
      );
  }
}

/** Creates the table of a shape and carries its writes out, in this process. */
export async function writeShape(
  shape: Shape,
  path: string,
  options: TableOptions = {},
): Promise<void> {
  const table = (await HudiTable.create(path, shape.definition, {
    ...options,
    write: shape.write,
  })) as HudiTable;
  try {
    for (const step of shape.steps) await writeStep(table, step);
  } finally {
    await table[Symbol.asyncDispose]();
  }
}

/** Does the same in a process of its own with that zone. */
export function writeShapeInZone(shape: Shape, path: string, timeZone: string): Promise<void> {
  const env = { ...process.env, TZ: timeZone };
  return runTool(process.execPath, [import.meta.filename, shape.name, path], { env });
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) {
  const [, , name = "", path = ""] = argv;
  await writeShape(requireShape(name), path);
}
