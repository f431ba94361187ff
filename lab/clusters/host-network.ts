import { mkdir, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { labPaths } from "../environment.ts";
import { readIfThere } from "../files.ts";
import { until } from "../../lib/until.ts";
import type { LabSettings, NodeSettings } from "../settings.ts";
import { chooseNodeCidr, hostAddress, isIpv4Cidr, overlap } from "./addresses.ts";
import { withLock } from "./lock.ts";

interface IpRoute {
  readonly dst: string;
  readonly dev?: string;
}
interface IpAddress {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

/** Name of the lab's bridge on the host. */
export function bridgeName(settings: LabSettings): string {
  return `lab-${settings.id}`;
}

/** Name of the host's end of a node's link; at most 15 characters, as the kernel wants it. */
function linkName(settings: LabSettings, node: NodeSettings): string {
  return `lab-${settings.id}-${node.place}`;
}

/** The range that the lab's nodes are in, if the lab has one. */
export async function knownNodeCidr(settings: LabSettings): Promise<string | undefined> {
  return (await readIfThere(labPaths(settings).nodeCidr))?.trim();
}

/** Makes sure that the bridge is there and has the host's address; gives the range of the nodes. */
export async function ensureBridge(settings: LabSettings): Promise<string> {
  // Two labs that start at the same moment must not choose the same range.
  return withLock("istio-canary-lab-network", "another lab on this machine", async () => {
    const bridge = bridgeName(settings);
    const known = await knownNodeCidr(settings);
    if (known && settings.nodeCidr && known !== settings.nodeCidr) {
      throw new Error(
        `The lab uses node range ${known}, LAB_NODE_CIDR now says ${settings.nodeCidr}: ` +
          "take the lab down first (make lab-down)",
      );
    }
    const inside = [settings.serviceCidr, ...settings.clusters.map((cluster) => cluster.podCidr)];
    const used = [...(await rangesInUse(bridge)), ...inside];
    const cidr = chooseNodeCidr(known ?? settings.nodeCidr, used);
    await mkdir(settings.dir, { recursive: true });
    await writeFile(labPaths(settings).nodeCidr, `${cidr}\n`);
    if (!(await linkExists(bridge))) await ip("link", "add", bridge, "type", "bridge");
    // An address that does not fit is from a lab whose files were lost.
    if (!(await addressesOf(bridge)).includes(hostAddress(cidr)))
      await ip("addr", "flush", "dev", bridge);
    await ip("addr", "replace", hostAddress(cidr), "dev", bridge);
    await ip("link", "set", bridge, "up");
    return cidr;
  });
}

/** Joins the network namespace of a process to the bridge; inside, the link is called eth0. */
export async function joinBridge(
  settings: LabSettings,
  node: NodeSettings,
  pid: number,
): Promise<void> {
  const link = linkName(settings, node);
  await removeLink(link);
  await ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", String(pid));
  await ip("link", "set", link, "master", bridgeName(settings), "up");
}

/** Removes the bridge and every link of the lab. */
export async function removeHostNetwork(settings: LabSettings): Promise<void> {
  for (const link of await labLinks(settings)) await removeLink(link);
}

/** Every link on the host that belongs to the lab. */
export async function labLinks(settings: LabSettings): Promise<string[]> {
  const { stdout } = await execa("ip", ["-j", "link", "show"]);
  const prefix = bridgeName(settings);
  return (JSON.parse(stdout) as { ifname: string }[])
    .map((link) => link.ifname)
    .filter((name) => name === prefix || name.startsWith(`${prefix}-`));
}

async function addressesOf(device: string): Promise<string[]> {
  const { stdout } = await execa("ip", ["-j", "-4", "addr", "show", "dev", device]);
  return (JSON.parse(stdout) as IpAddress[])
    .flatMap((address) => address.addr_info)
    .map((info) => `${info.local ?? ""}/${info.prefixlen ?? 32}`);
}

async function rangesInUse(exceptDevice: string): Promise<string[]> {
  const [routes, addresses] = await Promise.all([
    execa("ip", ["-j", "-4", "route", "show", "table", "all"]),
    execa("ip", ["-j", "-4", "addr", "show"]),
  ]);
  return [
    ...(JSON.parse(routes.stdout) as IpRoute[])
      .filter((route) => route.dev !== exceptDevice)
      .map((route) => (route.dst.includes("/") ? route.dst : `${route.dst}/32`)),
    ...(JSON.parse(addresses.stdout) as IpAddress[])
      .filter((address) => address.ifname !== exceptDevice)
      .flatMap((address) => address.addr_info)
      .map((info) => `${info.local ?? ""}/${info.prefixlen ?? 32}`),
  ].filter((range) => isIpv4Cidr(range) && !overlap(range, "127.0.0.0/8") && !range.endsWith("/0"));
}

async function removeLink(link: string): Promise<void> {
  if (!(await linkExists(link))) return;
  // A link whose namespace has just died may vanish by itself between the two.
  await execa("ip", ["link", "del", link], { reject: false });
  await until(
    `network link ${link} to go away`,
    async () => {
      if (await linkExists(link)) throw new Error("it is still there");
    },
    { timeoutMs: 20_000 },
  );
}

async function linkExists(link: string): Promise<boolean> {
  const { stdout } = await execa("ip", ["-j", "link", "show"]);
  return (JSON.parse(stdout) as { ifname: string }[]).some((entry) => entry.ifname === link);
}

async function ip(...args: string[]): Promise<void> {
  await execa("ip", args);
}
