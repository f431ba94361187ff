import type { KubernetesObject } from "@kubernetes/client-node";
import { testHost, testReleases } from "./own-stack.ts";
import { E2E_INGRESS } from "./target.ts";

/** Port of the gateway's pods: one that needs no privilege. */
const POD_PORT = 8080;

/** An ingress gateway with the hosts of all test releases, in a namespace of its own: the mesh's are left alone. */
export function e2eGateway(): readonly KubernetesObject[] {
  const { namespace, name } = E2E_INGRESS;
  const metadata = { name, namespace };
  const labels = { app: name, istio: name };
  const selector = { istio: name };
  const objects: readonly (KubernetesObject & Readonly<Record<string, unknown>>)[] = [
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace, labels: { "istio-injection": "enabled" } },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        type: "LoadBalancer",
        selector,
        ports: [{ name: "http2", port: 80, targetPort: POD_PORT }],
      },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        selector: { matchLabels: selector },
        template: {
          metadata: {
            labels: { ...labels, "sidecar.istio.io/inject": "true" },
            annotations: { "inject.istio.io/templates": "gateway" },
          },
          spec: {
            containers: [
              // Istio's injection fills it in, but for what the API server has made of the lack of a tag before.
              { name: "istio-proxy", image: "auto", imagePullPolicy: "IfNotPresent" },
            ],
          },
        },
      },
    },
    {
      apiVersion: "networking.istio.io/v1",
      kind: "Gateway",
      metadata,
      spec: {
        selector,
        servers: [
          {
            port: { number: 80, name: "http", protocol: "HTTP" },
            hosts: testReleases.map(testHost),
          },
        ],
      },
    },
  ];
  return objects;
}
