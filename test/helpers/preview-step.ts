import type { Digest } from "../../preview/digest.ts";

const provider = "urn:pulumi:prod::istio-canary::pulumi:providers:kubernetes::cluster-b::id";

/** A preview with one step of a Kubernetes object in cluster-b. */
export function previewStep(op: string, kind = "VirtualService", name = "user-service"): Digest {
  const state = {
    custom: true,
    type: `kubernetes:networking.istio.io/v1:${kind}`,
    inputs: { metadata: { name, namespace: "user" } },
    outputs: {},
  };
  return {
    config: {},
    diagnostics: [],
    steps: [
      {
        op,
        urn: `urn:pulumi:prod::istio-canary::kubernetes:networking.istio.io/v1:${kind}::route`,
        provider,
        newState: state,
        oldState: state,
      },
    ],
  };
}
