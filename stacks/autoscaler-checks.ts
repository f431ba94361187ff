import {
  ISTIOD_REPLICAS,
  GATEWAY_REPLICAS,
  isAutoscaled,
  mergeValues,
  valuesAt,
  type HelmValues,
} from "../lib/helm-values.ts";
import type { Problem } from "../lib/problems.ts";
import type { Cluster, Mesh } from "./schema.ts";

/** The most pods of the autoscalers, where no value says it. (Istio: the charts `gateway` and `istiod`) */
const MOST = 5;

/** Values of a chart, and where the configuration has them. */
interface Layer {
  readonly path: string;
  readonly values: HelmValues | undefined;
}

/** Values of one release, merged from the layers, the last of which wins. */
class Layered {
  readonly #layers: readonly Layer[];
  readonly #merged: HelmValues;

  constructor(own: HelmValues, layers: readonly Layer[]) {
    this.#layers = layers;
    this.#merged = mergeValues(own, ...layers.map(({ values = {} }) => values));
  }

  get values(): HelmValues {
    return this.#merged;
  }

  at(...keys: readonly string[]): unknown {
    return valuesAt(this.#merged, ...keys);
  }

  /** Where the configuration says what is at the first of these keys that it says anything of. */
  path(...keys: readonly (readonly string[])[]): string {
    for (const each of keys) {
      const layer = this.#layers.findLast(
        ({ values = {} }) => valuesAt(values, ...each) !== undefined,
      );
      if (layer) return [layer.path, ...each].join(".");
    }
    return this.#layers[0]?.path ?? "";
  }
}

function isWhole(value: unknown, least: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= least;
}

/** Two pods at least: the charts then add a disruption budget, and a drain takes one after the other. */
function leastProblems(of: Layered, keys: readonly string[], on: readonly string[]): Problem[] {
  const least = of.at(...keys);
  return isWhole(least, 2)
    ? []
    : [
        {
          path: of.path(keys, on),
          value: least,
          rule: "must be a whole number from 2 on: with one pod there is no disruption budget, and whatever drains its node takes the last one",
          fix: `Write ${keys.at(-1) ?? ""}: 2 or more.`,
        },
      ];
}

function mostProblems(
  of: Layered,
  keys: readonly string[],
  leastKeys: readonly string[],
): Problem[] {
  const [most, least] = [of.at(...keys), of.at(...leastKeys)];
  if (typeof least !== "number" || isWhole(most, least)) return [];
  return [
    {
      path: of.path(keys, leastKeys),
      value: most,
      rule: `must be a whole number from ${leastKeys.at(-1) ?? ""} on, which is ${least}${most === MOST ? `: ${keys.at(-1) ?? ""} is ${MOST} where nothing is said` : ""}`,
      fix: `Write ${keys.at(-1) ?? ""}: ${Math.max(least, MOST)} or more beside it.`,
    },
  ];
}

function gatewayProblems(layers: readonly Layer[]): Problem[] {
  const of = new Layered(
    { autoscaling: { minReplicas: GATEWAY_REPLICAS, maxReplicas: MOST } },
    layers,
  );
  const budget = ["podDisruptionBudget", "minAvailable"];
  const [on, least, most] = ["enabled", "minReplicas", "maxReplicas"].map((key) => [
    "autoscaling",
    key,
  ]) as [string[], string[], string[]];
  const isOn = of.at(...on);
  return [
    ...(isOn === undefined || typeof isOn === "boolean"
      ? []
      : [
          {
            path: of.path(on),
            value: isOn,
            rule: "must be true or false: the chart takes any text for true, then with one pod",
            fix: "Write it without quotes.",
          },
        ]),
    ...(of.at(...budget) === undefined
      ? []
      : [
          {
            path: of.path(budget),
            value: of.at(...budget),
            rule: "must be left out: the gateways have maxUnavailable: 1, and a disruption budget has one of the two",
            fix: "Remove it, and set podDisruptionBudget.maxUnavailable where 1 is not what you want.",
          },
        ]),
    ...(isAutoscaled(of.values)
      ? [...leastProblems(of, least, on), ...mostProblems(of, most, least)]
      : []),
  ];
}

function istiodProblems(layers: readonly Layer[]): Problem[] {
  // The chart takes what is under `pilot` for its own, and before what is beside it.
  const all = layers.flatMap(({ path, values = {} }) => {
    const pilot = valuesAt(values, "pilot");
    return [
      { path, values },
      ...(pilot ? [{ path: `${path}.pilot`, values: pilot as HelmValues }] : []),
    ];
  });
  const ordered = [
    ...all.filter(({ path }) => !path.endsWith(".pilot")),
    ...all.filter(({ path }) => path.endsWith(".pilot")),
  ];
  const of = new Layered(
    {
      ...{ autoscaleEnabled: true, autoscaleMin: ISTIOD_REPLICAS, autoscaleMax: MOST },
      replicaCount: ISTIOD_REPLICAS,
    },
    ordered,
  );
  const [least, most] = [["autoscaleMin"], ["autoscaleMax"]] as const;
  if (of.at("autoscaleEnabled") === false) return [];
  // Where there is no room for two, both are 1 on purpose.
  const isAlone = of.at("autoscaleMin") === 1 && of.at("replicaCount") === 1;
  return [...(isAlone ? [] : leastProblems(of, least, least)), ...mostProblems(of, most, least)];
}

/** What is wrong with the autoscalers of istiod and the gateways, as the values of their charts set them. */
export function autoscalerProblems(
  { values }: Mesh,
  clusters: readonly Pick<Cluster, "values">[],
): Problem[] {
  const layersOf = (
    of: readonly ("istiod" | "gateway" | "eastWest" | "ingress")[],
    kind: "istiod" | "eastWest" | "ingress",
    i: number,
  ): readonly Layer[] => [
    ...of.map((key) => ({ path: `mesh.values.${key}`, values: values[key] })),
    { path: `clusters[${i}].values.${kind}`, values: clusters[i]?.values?.[kind] },
  ];
  const problems = clusters.flatMap((_, i) => [
    ...istiodProblems(layersOf(["istiod"], "istiod", i)),
    ...(["eastWest", "ingress"] as const).flatMap((kind) =>
      gatewayProblems(layersOf(["gateway", kind], kind, i)),
    ),
  ]);
  // What is said for all of them is wrong once.
  return problems.filter(({ path }, i) => problems.findIndex((each) => each.path === path) === i);
}
