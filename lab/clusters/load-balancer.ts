/**
 * Stands in for a cloud's load balancer, inside a node of the lab: gives each Service of type
 * LoadBalancer an address of its own on the node's bridge; kube-proxy then serves it. Leaves out
 * everything that spreads load over nodes, health checks of nodes, and spec.loadBalancerIP.
 */
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import {
  CoreV1Api,
  KubeConfig,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1Service,
} from "@kubernetes/client-node";
import { execa } from "execa";
import { allot } from "./allotment.ts";

/** The node's device on the bridge. */
const device = "eth0";
/** Pause after the API server or the device could not be reached, in milliseconds. */
const retryMs = 1000;

const { values: options } = parseArgs({
  options: {
    kubeconfig: { type: "string", default: "" },
    addresses: { type: "string", default: "" },
    listen: { type: "string", default: "" },
  },
});
const range = options.addresses.split(",");
const config = new KubeConfig();
config.loadFromFile(options.kubeconfig);
const api = config.makeApiClient(CoreV1Api);
let synced = false;
const informer = makeInformer(config, "/api/v1/services", async () => {
  const list = await api.listServiceForAllNamespaces();
  synced = true;
  return list;
});

async function reconcile(): Promise<void> {
  // A Service with a class belongs to whoever serves that class.
  const services = informer.list().filter(({ spec }) => !spec?.loadBalancerClass);
  const claims = services
    .filter((service) => service.spec?.type === "LoadBalancer")
    .map((service) => ({
      name: nameOf(service),
      held: addressOf(service),
      // A Date from a list, but text from a watch, whatever the client's types say.
      since: new Date(service.metadata?.creationTimestamp ?? 0).getTime(),
    }));
  const allotted = allot(claims, range);
  await setDeviceAddresses(new Set(allotted.values()));
  for (const service of services) {
    await setStatus(service, allotted.get(nameOf(service)));
  }
  for (const { name } of claims.filter((claim) => !allotted.has(claim.name))) {
    console.error(`${name}: no address, all ${range.length} are taken`);
  }
}

async function setDeviceAddresses(wanted: ReadonlySet<string>): Promise<void> {
  const { stdout } = await execa("ip", ["-j", "-4", "addr", "show", "dev", device]);
  const present = (JSON.parse(stdout) as { addr_info: { local: string }[] }[])
    .flatMap((entry) => entry.addr_info)
    .map((info) => info.local);
  const change = (verb: "add" | "del", address: string) =>
    execa("ip", ["addr", verb, `${address}/32`, "dev", device]);
  for (const address of range) {
    if (wanted.has(address) && !present.includes(address)) await change("add", address);
    if (!wanted.has(address) && present.includes(address)) await change("del", address);
  }
}

async function setStatus(service: V1Service, address: string | undefined): Promise<void> {
  const held = addressOf(service);
  if (held === address) return;
  console.log(`${nameOf(service)}: ${held ?? "no address"} -> ${address ?? "no address"}`);
  await api.patchNamespacedServiceStatus(
    {
      name: service.metadata?.name ?? "",
      namespace: service.metadata?.namespace ?? "",
      body: { status: { loadBalancer: { ingress: address ? [{ ip: address }] : null } } },
    },
    setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
  );
}

function nameOf(service: V1Service): string {
  return `${service.metadata?.namespace ?? ""}/${service.metadata?.name ?? ""}`;
}

function addressOf(service: V1Service): string | undefined {
  return service.status?.loadBalancer?.ingress?.[0]?.ip;
}

/** One pass at a time; a change during a pass asks for one more after it. */
let wanted = false;
let passing = false;

async function onChange(): Promise<void> {
  wanted = true;
  if (passing) return;
  passing = true;
  try {
    while (wanted) {
      wanted = false;
      await reconcile();
    }
  } catch (error) {
    console.error("will try again:", error instanceof Error ? error.message : error);
    setTimeout(() => void onChange(), retryMs);
  } finally {
    passing = false;
  }
}

informer.on("add", () => void onChange());
informer.on("update", () => void onChange());
informer.on("delete", () => void onChange());
informer.on("error", (error: unknown) => {
  console.error("lost the API server:", error instanceof Error ? error.message : error);
  setTimeout(() => void informer.start(), retryMs);
});
await informer.start();

const [host = "", port = ""] = options.listen.split(":");
createServer((_request, response) => {
  response.writeHead(synced ? 200 : 503).end();
}).listen(Number(port), host);
