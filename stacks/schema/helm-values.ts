import * as z from "zod";
import { key } from "./values.ts";

/** Values of a Helm chart. */
export const helmValues = z.record(z.string(), z.unknown());

/** What is said of a key with values of a chart, and what they are merged over. */
const said = (chart: string, over: string, examples: readonly unknown[]) => ({
  description: `Values of the chart \`${chart}\`, merged over ${over}: maps key by key, all else replaced.`,
  examples,
  placeholder: "value",
});

/** Values of a chart in every cluster. */
export const valuesEverywhere = (chart: string, examples: readonly unknown[]) =>
  key(helmValues.default({}), {
    ...said(chart, "the program's own", examples),
    effect: `Upgrades the Helm releases of \`${chart}\` in every cluster.`,
  });

/** Values of one kind of gateway in every cluster. */
export const gatewayValuesEverywhere = (gateway: string, examples: readonly unknown[]) =>
  key(helmValues.optional(), {
    ...said("gateway", `\`gateway\`, for the ${gateway} gateways alone`, examples),
    effect: `Upgrades the Helm releases of the ${gateway} gateways in every cluster.`,
    fallback: "none",
  });

/** Values of a chart in one cluster. */
export const valuesInOne = (
  chart: string,
  of: string,
  over: string,
  examples: readonly unknown[],
  rules: readonly string[] = [],
) =>
  key(helmValues.optional(), {
    ...said(chart, `\`${over}\``, examples),
    effect: `Upgrades the Helm release of ${of} in this cluster.`,
    fallback: "none",
    ...(rules.length > 0 && { rules }),
  });
