// The suffix of a test file says which world it needs: `.test.ts` needs Node alone, the others a real engine.
import { defineConfig } from "vitest/config";

const engines = ["test/**/*.{s3,spark,hudi-rs,pyarrow,presto,trino,matrix}.test.ts"];

export default defineConfig({
  test: {
    // One worker for each core; the default leaves a core idle, which is half of two.
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: engines,
          setupFiles: ["test/support/seed-properties.ts"],
          // For a machine that has other work as well.
          testTimeout: 20_000,
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
