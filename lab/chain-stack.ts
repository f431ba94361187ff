import { chain } from "./mesh/chain.ts";
import type { PulumiCli } from "./pulumi.ts";
import { makeReleaseStack } from "./release-stack.ts";
import { rolloutConfig, serviceConfig } from "./service-config.ts";
import type { LabSettings } from "./settings.ts";

/** Name of the stack of the chain, whose services run in the mesh of the lab's stack. */
export const chainStack = "lab-chain";

/** What the demo and the tests do not need more of than one. */
const REPLICAS = 1;

/** The services' entries of the config: each calls the next one of the chain, the last one none. */
function services() {
  const { namespace } = chain;
  return chain.services.map((name, i) => {
    const next = chain.services[i + 1];
    const isEntry = name === chain.entry;
    const { matches, ...config } = serviceConfig(
      { name, namespace, ...(isEntry && { ingressHost: chain.ingressHost }) },
      REPLICAS,
    );
    return {
      ...config,
      args: [
        ...config.args,
        `--service=${name}`,
        `--pass-on=${chain.header},baggage`,
        ...(next === undefined ? [] : [`--next=http://${next}.${namespace}/`]),
      ],
      ...(isEntry && { matches }),
    };
  });
}

/** Makes the chain's stack with its config, and no resource yet. */
export async function makeChainStack(
  settings: LabSettings,
  phases: readonly number[],
): Promise<PulumiCli> {
  return makeReleaseStack(settings, chainStack, {
    services: services(),
    chain: {
      entries: [`${chain.namespace}/${chain.entry}`],
      mark: { header: chain.header, baggage: chain.baggage, testers: [chain.tester] },
    },
    phases,
    weight: 0,
    rollout: rolloutConfig,
  });
}
