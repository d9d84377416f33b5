// The suffix of a test file says which world it needs: `.test.ts` needs Node alone, the others a real engine.
import { defineConfig } from "vitest/config";

const engines = ["test/**/*.{s3,spark,hudi-rs,pyarrow,presto,trino,matrix}.test.ts"];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: engines,
          setupFiles: ["test/support/seed-properties.ts"],
        },
      },
      {
        test: {
          name: "engines",
          include: engines,
          testTimeout: 600_000,
          hookTimeout: 4_200_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
