// Changes for people: the columns of the table side by side, an update as two lines.
import {
  type BytesColumn,
  type ColumnBatch,
  type StructColumn,
  storedColumn,
} from "../../format/column-batch.ts";
import { gatherColumn } from "../../format/column-gather.ts";
import type { Field, TableSchema } from "../../format/schema.ts";
import type { PrintableScan } from "../commands/print-rows.ts";

/** The scan with one line for each row that a change speaks of. */
export function flattenChanges(scan: PrintableScan): PrintableScan {
  return {
    upTo: scan.upTo,
    schema: scan.schema.then(flatSchema),
    columnBatches: async function* () {
      for await (const batch of scan.columnBatches()) yield flatten(batch);
    },
  };
}

function flatSchema({ name, fields }: TableSchema): TableSchema {
  const [instant, op, , , after] = fields as [Field, Field, Field, Field, Field];
  return {
    name,
    fields: [instant, op, ...(after.type.kind === "struct" ? after.type.fields : [])],
  };
}

const LINES = {
  insert: [["insert", "after"]],
  update: [
    ["update of", "before"],
    ["update to", "after"],
  ],
  delete: [["delete", "before"]],
} as const;

function flatten(batch: ColumnBatch): ColumnBatch {
  const [instants, ops, , before, after] = batch.columns as [
    BytesColumn,
    BytesColumn,
    StructColumn,
    StructColumn,
    StructColumn,
  ];
  const text = Buffer.from(ops.data.buffer, ops.data.byteOffset, ops.data.length);
  const labels: Uint8Array[] = [];
  const rows: number[] = [];
  const picks: number[] = [];
  for (let row = 0; row < batch.rowCount; row += 1) {
    const op = text.toString("latin1", ops.offsets[row], ops.offsets[row + 1]);
    for (const [label, image] of LINES[op as keyof typeof LINES]) {
      labels.push(Buffer.from(label));
      rows.push(row);
      picks.push(image === "after" ? row : ~row);
    }
  }
  const images = Int32Array.from(picks);
  return {
    schema: flatSchema(batch.schema),
    rowCount: rows.length,
    columns: [
      gatherColumn(instants, undefined, Int32Array.from(rows)),
      storedColumn({ kind: "string" }, labels),
      ...after.children.map((column, index) =>
        gatherColumn(column, before.children[index], images),
      ),
    ],
  };
}
