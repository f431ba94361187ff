import { copyFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

import { Command } from "commander";
import { z } from "zod";

import { labStack } from "../../lab/environment.ts";
import type { PulumiCli } from "../../lab/pulumi.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackFile, stackKeys } from "../../lab/stack-file.ts";
import { labUp } from "../../lab/up.ts";
import { textTable } from "../../lib/table.ts";
import { labPulumi } from "../lab/lab.ts";
import { withPeakMemory } from "./peak-memory.ts";
import { positive } from "./positive.ts";
import { spread } from "./weight/figures.ts";

const settings = labSettings();
/** The config of the lab's stack with more services in it. */
const file = path.join(settings.dir, "bench-preview.yaml");

interface Options {
  readonly services: readonly number[];
  readonly rounds: number;
}

/** What one preview took. */
interface Sample {
  readonly seconds: number;
  readonly peakMiB: number;
  readonly resources: number;
}

/** Previews that the lab's stack gets so many services more. */
async function preview(pulumi: PulumiCli, count: number): Promise<Sample> {
  const added = Array.from({ length: count }, (_, i) =>
    serviceConfig({ name: `service-${i + 1}`, namespace: "bench" }, 1),
  );
  const { services } = await stackKeys(stackFile(settings, labStack));
  await setStackKeys(file, { services: [...z.array(z.unknown()).parse(services), ...added] });
  const { value, peakMiB } = await withPeakMemory(() => pulumi.preview("--config-file", file));
  return { seconds: value.seconds, peakMiB, resources: value.value.length };
}

/** Measures all sizes in each round, one after the other, and prints the figures. */
async function measure(pulumi: PulumiCli, { services, rounds }: Options): Promise<void> {
  const samples = new Map<number, Sample[]>(services.map((count) => [count, []]));
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`);
    for (const [count, own] of samples) {
      const sample = await preview(pulumi, count);
      own.push(sample);
      console.log(
        `  ${count} services more: ${sample.seconds.toFixed(1)} s, ${sample.peakMiB.toFixed(0)} MiB`,
      );
    }
  }
  const table = textTable([
    "services more",
    "resources more",
    "min",
    "median",
    "max",
    "largest process",
  ]);
  for (const [count, own] of samples) {
    const seconds = spread(own.map((sample) => sample.seconds));
    table.push([
      String(count),
      String(own[0]?.resources ?? 0),
      ...[seconds.min, seconds.median, seconds.max].map((value) => `${value.toFixed(1)} s`),
      `${spread(own.map(({ peakMiB }) => peakMiB)).max.toFixed(0)} MiB`,
    ]);
  }
  console.log(
    `\n${os.availableParallelism()} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${settings.clusters.length} clusters\n${table.toString()}`,
  );
}

async function run(options: Options): Promise<void> {
  await labUp(settings);
  await copyFile(stackFile(settings, labStack), file);
  try {
    await measure(labPulumi(), options);
  } finally {
    await rm(file);
  }
}

const program = new Command("bench:preview")
  .description("how long pulumi preview takes for some and for many new services")
  .option(
    "--services <numbers>",
    "how many new services, separated by commas",
    (text) => text.split(",").map(positive),
    [10, 50],
  )
  .option("--rounds <number>", "how often everything is measured", positive, 3)
  .action(run);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`bench:preview: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
