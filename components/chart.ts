import * as pulumi from "@pulumi/pulumi";
import { chartInputs, type ChartSource } from "../lib/helm-values.ts";

/** The inputs of a helm Release that say which chart it installs; a password among them is a secret. */
export function chartOf(source: ChartSource, chart: string, version: string) {
  const inputs = chartInputs(source, chart, version);
  return source.password === undefined || !inputs.repositoryOpts
    ? inputs
    : {
        ...inputs,
        repositoryOpts: { ...inputs.repositoryOpts, password: pulumi.secret(source.password) },
      };
}
