/**
 * Stands in for `pulumi-resource-kubernetes`, Pulumi's Kubernetes provider, which no package
 * registry ships. It keeps every kind of object that the API server knows by server-side apply, and
 * Helm releases (`helm.sh/v3:Release`) by the `helm` on PATH.
 *
 * Like the official provider: one field manager for each resource, previews as dry runs by the API
 * server, property diffs, replacement where a field cannot change (ConfigMaps and Secrets too, unless
 * they are set mutable), waiting for Deployments, StatefulSets, DaemonSets, Jobs, Pods, Services,
 * token Secrets, CustomResourceDefinitions and Releases with the reasons why they are not ready,
 * secrets and unknowns, import, `get`, refresh.
 *
 * Left out: component resources (helm Chart, yaml ConfigFile and ConfigGroup, kustomize), `…Patch`
 * and `…List` resources, the schema (`pulumi import` cannot generate code), rendering to YAML
 * files, client-side apply, waiting by `pulumi.com/waitFor`, checking inputs against the OpenAPI
 * schema (the API server's dry run does it), writing quantities in canonical form ("1000m" and "1"
 * differ), drift in a Secret given as `stringData`; for releases: `resourceNames`, repository
 * credentials (helm's own are used) and the inputs that helm-command.ts lists.
 */
import { createRequire } from "node:module";
import providerGrpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { servePlugin } from "../plugin-server.ts";
import { EngineLog } from "./engine-log.ts";
import { KubernetesProvider } from "./provider.ts";

const { version } = createRequire(import.meta.url)("@pulumi/kubernetes/package.json") as {
  version: string;
};
const log = new EngineLog();
log.connect(process.argv.slice(2).findLast((argument) => !argument.startsWith("-")) ?? "");
const provider = new KubernetesProvider(version, log);
servePlugin(providerGrpc.ResourceProviderService, provider.handlers, () => {
  provider.cancel();
  return Promise.resolve();
});
