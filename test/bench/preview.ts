import os from "node:os";

import { Command } from "commander";

import { labEnvironment, labStack } from "../../lab/environment.ts";
import { PulumiCli } from "../../lab/pulumi.ts";
import { serviceConfig } from "../../lab/service-config.ts";
import { labSettings } from "../../lab/settings.ts";
import { setStackKeys, stackFile, stackKeys } from "../../lab/stack-file.ts";
import { labUp } from "../../lab/up.ts";
import { textTable } from "../../lib/table.ts";
import { withPeakMemory } from "./peak-memory.ts";
import { positive } from "./positive.ts";
import { spread } from "./weight/figures.ts";

const BENCH_STACK = "lab-bench-preview";

const settings = labSettings();
const file = stackFile(settings, BENCH_STACK);

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

/** Previews the installation of a mesh with so many services. */
async function preview(pulumi: PulumiCli, count: number): Promise<Sample> {
  const services = Array.from({ length: count }, (_, i) =>
    serviceConfig({ name: `service-${i + 1}`, namespace: "bench" }, 1),
  );
  await setStackKeys(file, { services });
  const { value, peakMiB } = await withPeakMemory(() => pulumi.preview());
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
        `  ${count} services: ${sample.seconds.toFixed(1)} s, ${sample.peakMiB.toFixed(0)} MiB`,
      );
    }
  }
  const table = textTable(["services", "resources", "min", "median", "max", "largest process"]);
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
  const pulumi = new PulumiCli(settings.root, labEnvironment(settings), BENCH_STACK);
  // What an interrupted run has left: nothing was ever installed.
  if (await pulumi.exists()) await pulumi.remove();
  await pulumi.create();
  try {
    await setStackKeys(file, await stackKeys(stackFile(settings, labStack)));
    await measure(pulumi, options);
  } finally {
    await pulumi.remove();
  }
}

const program = new Command("bench:preview")
  .description("how long pulumi preview takes with some and with many services")
  .option(
    "--services <numbers>",
    "how many services, separated by commas",
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
