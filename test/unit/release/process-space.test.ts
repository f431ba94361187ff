import { expect, it } from "vitest";
import { processesSince, processSpace } from "../../../release/process-space.ts";

it("tells the boot and the namespace of processes", () => {
  expect(processSpace()).toMatch(/^[0-9a-f-]{36} pid:\[\d+\]$/);
  expect(processSpace()).toBe(processSpace());
});

it("tells since when there are processes: since before this one", () => {
  const began = Date.now() - performance.now();
  expect(processesSince()?.getTime()).toBeLessThanOrEqual(began + 1_000);
  expect(processesSince()?.getTime()).toBeGreaterThan(Date.UTC(2020, 0, 1));
});
