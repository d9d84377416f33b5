// What `read` and `incremental` share: plan a scan from flags, print its rows, say what was read.
import type { ColumnBatch } from "../../format/column-batch.ts";
import type { TableSchema } from "../../format/schema.ts";
import type { HudiTable } from "../../hudi-table.ts";
import { META_FIELDS } from "../../layout/record-key.ts";
import type { Predicate } from "../../read/predicate.ts";
import { PlannedScan, type Scan } from "../../read/scan.ts";
import type { RowFlags } from "../flags.ts";
import { type LakeIo, terminalWidth } from "../lake-io.ts";
import { ByteOutput } from "../output/byte-output.ts";
import { formatCount, formatSize } from "../output/display-text.ts";
import { JsonDocumentWriter } from "../output/json-rows.ts";
import {
  openRowWriter,
  type RowFormat,
  type RowWriter,
  resolveRowFormat,
} from "../output/row-writer.ts";
import { sliceBatch } from "../output/slice-batch.ts";
import { remark } from "../print.ts";
import { startProgress } from "../progress.ts";
