import { defineConfig } from "vitest/config";
import { e2eTests } from "./test/lab/e2e-tests.ts";

export default defineConfig({
  test: {
    // A release stack of the lab tests is removed then.
    teardownTimeout: 120_000,
    tags: [
      {
        name: "campaign",
        description:
          "More faults of a rule that another lab test shows: make campaign, not the gate",
      },
    ],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "lab/test/**/*.test.ts"],
          // A worker loads what is in node_modules once; fresh-modules.ts keeps the files apart.
          isolate: false,
          setupFiles: ["test/helpers/fresh-modules.ts"],
          maxWorkers: "100%",
          // Some run the whole program, on machines that are busy with other things.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          globalSetup: ["test/browser/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          // Each file has a release of its own, so that files can run side by side where there are cores for it.
          name: "lab",
          include: ["test/lab/*.test.ts", "test/lab/standins/*.test.ts"],
          globalSetup: ["test/lab/setup.ts"],
          maxWorkers: Number(process.env["LAB_WORKERS"] ?? 1),
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          // Pulumi's Kubernetes provider on a cluster of the user's: make e2e, not the gate.
          name: "provider",
          include: ["test/lab/standins/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 5 },
        },
      },
      {
        test: {
          // Releases on two clusters of the user's: make e2e, not the gate.
          name: "e2e",
          include: process.env["E2E_CONTEXTS"] === undefined ? [] : [...e2eTests().files],
          globalSetup: ["test/lab/e2e-setup.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 5 },
        },
      },
      {
        test: {
          // Files that break a cluster, or change the stack that has the mesh: one after the other, by themselves.
          name: "faults",
          include: ["test/lab/faults/*.test.ts", "test/lab/mesh-stack/*.test.ts"],
          globalSetup: ["test/lab/setup.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          // More runs, more faults, longer: make campaign, not the gate.
          name: "campaign",
          include: ["test/lab/campaign/*.test.ts"],
          // Lost nodes take a cluster that has more than one.
          exclude: Number(process.env["LAB_NODES"] ?? 1) > 1 ? [] : ["**/nodes.test.ts"],
          globalSetup: ["test/lab/setup.ts"],
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
