import { labStack } from "./environment.ts";
import { makeFreshStack } from "./fresh-stack.ts";
import { chain } from "./mesh/chain.ts";
import { userService } from "./mesh/user-service.ts";
import type { PulumiCli } from "./pulumi.ts";
import type { LabSettings } from "./settings.ts";

/** Name of the stack of the chain, whose services run in the mesh of the lab's stack. */
export const chainStack = "lab-chain";

/** What the demo and the tests do not need more of than one. */
const REPLICAS = 1;

const small = { requests: { cpu: "10m", memory: "40Mi" } };

function version(name: string) {
  return { version: name, image: chainImage(name), replicas: REPLICAS };
}

/** The image of a version: all services of the chain are the same server. */
export function chainImage(tag: string): string {
  return `docker.io/lab/${userService.name}:${tag}`;
}

/** The services' entries of the config: each calls the next one of the chain, the last one none. */
function services() {
  return chain.services.map((name, i) => {
    const next = chain.services[i + 1];
    return {
      name,
      namespace: chain.namespace,
      port: 8080,
      timeout: "10s",
      stable: version(chain.stable),
      canary: version(chain.canary),
      args: [
        ...["--port=8080", "--version=$(SERVICE_VERSION)", "--cluster=$(CLUSTER_NAME)"],
        `--service=${name}`,
        `--pass-on=${chain.header},baggage`,
        ...(next === undefined ? [] : [`--next=http://${next}.${chain.namespace}/`]),
      ],
      resources: small,
      ...(name === chain.entry && {
        matches: [{ header: { "x-canary": "true" } }, { cookie: { canary: "always" } }],
      }),
      ingressHosts: name === chain.entry ? [chain.ingressHost] : [],
    };
  });
}

/** Config of the chain's stack, by key. */
function chainConfig(): Readonly<Record<string, unknown>> {
  return {
    meshStack: `organization/istio-canary/${labStack}`,
    services: services(),
    chain: {
      entries: [`${chain.namespace}/${chain.entry}`],
      mark: { header: chain.header, baggage: chain.baggage, testers: [chain.tester] },
    },
    phases: [10, 30, 100],
    weight: 0,
    rollout: { bake: "20s", interval: "5s", settle: "12s", noDataLimit: "5m" },
  };
}

/** Makes the chain's stack with its config, and no resource yet; see {@link makeFreshStack}. */
export async function makeChainStack(settings: LabSettings): Promise<PulumiCli> {
  return makeFreshStack(settings, chainStack, chainConfig());
}
