import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { execa } from "execa";
import { readIfThere } from "../files.ts";
import { until } from "../../lib/until.ts";
import type { ClusterSettings, LabSettings } from "../settings.ts";
import type { ClusterAddresses, PlacedNode } from "./addresses.ts";
import { Cgroup } from "./cgroups.ts";
import { pkiDir } from "./certificates.ts";
import type { Host } from "./component-process.ts";
import { joinBridge } from "./host-network.ts";
import { cniFolders } from "./node-programs.ts";
import type { Component } from "./plan.ts";
import { probeHttp, probeSocket } from "./probes.ts";
import { processInfos } from "./proc.ts";

/** Folders of the machine that a node has its own of, empty at first. */
const hidden = ["/run", "/var/lib", "/var/log"];
/** Folders of the node that are kept in its folder on the host, by name there. */
const kept = {
  cni: cniFolders.config,
  containerd: "/var/lib/containerd",
  kubelet: "/var/lib/kubelet",
  pods: "/var/log/pods",
};
/** Moves itself into the cgroups given first (their number, then each), then becomes the command. */
const joinCgroups =
  'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1/cgroup.procs"; shift; n=$((n - 1)); done; exec "$@"';

/** Cgroup that holds everything of a lab. */
export function labCgroup(settings: LabSettings): Cgroup {
  return new Cgroup(`lab-${settings.id}`);
}

/**
 * A node of a cluster: a set of namespaces (processes, mounts, network) held by one init process, and a
 * cgroup. When the init dies, the kernel takes every process, mount and network device of the node
 * with it. The cgroup is how the node is found again, by any later command.
 */
export class Node implements Host {
  readonly settings: LabSettings;
  readonly cluster: ClusterSettings;
  readonly addresses: ClusterAddresses;
  /** This one of the cluster's nodes. */
  readonly own: PlacedNode;
  readonly cgroup: Cgroup;

  constructor(
    settings: LabSettings,
    cluster: ClusterSettings,
    addresses: ClusterAddresses,
    own: PlacedNode,
  ) {
    this.settings = settings;
    this.cluster = cluster;
    this.addresses = addresses;
    this.own = own;
    this.cgroup = labCgroup(settings).child(this.id);
  }

  /** Its name among the nodes of all clusters; that of a cluster's first node is the cluster's. */
  get id(): string {
    return `${this.cluster.name}${this.own.suffix}`;
  }

  get logDir(): string {
    return path.join(this.own.dir, "log");
  }

  get readyTimeoutMs(): number {
    return this.settings.readyTimeoutMs;
  }

  /** Makes sure that the node's namespaces are there and set up. */
  async ensure(): Promise<void> {
    await this.#checkAddresses();
    if ((await this.find()) && (await this.#isSetUp())) return;
    await this.cgroup.kill();
    // A node's pod cgroups belong to containers that are no more.
    await this.cgroup.remove();
    await this.cgroup.make();
    const init = await this.#startInit();
    await joinBridge(this.settings, this.own, init);
    await Promise.all(
      Object.keys(kept).map((name) => mkdir(path.join(this.own.dir, name), { recursive: true })),
    );
    await this.run("sh", "-euc", this.#setupScript());
    await writeFile(this.#setUpFile, await this.#identity());
  }

  /** Whether the node is there at all; when it is, its processes can be looked up. */
  async find(): Promise<boolean> {
    this.#init = await this.#findInit();
    return this.#init !== undefined;
  }

  /** Says which init has been set up, and how. Without it, the files of the node were lost. */
  get #setUpFile(): string {
    return path.join(this.own.dir, "node.json");
  }

  async #isSetUp(): Promise<boolean> {
    const text = await readIfThere(this.#setUpFile);
    return text !== undefined && text === (await this.#identity());
  }

  /** Throws if the node was started with other addresses: they are all over its cluster's objects. */
  async #checkAddresses(): Promise<void> {
    const text = await readIfThere(this.#setUpFile);
    if (text === undefined) return;
    const { addresses } = JSON.parse(text) as { addresses: unknown };
    if (isDeepStrictEqual(addresses, this.#addressSettings())) return;
    throw new Error(
      `${this.id} was started with other addresses than the settings give it now: ` +
        "set LAB_CLUSTERS, LAB_NODES and the address ranges as they were, or take the lab down first (make lab-down)",
    );
  }

  /** Tells this init from every other process, a later one with the same pid included. */
  async #identity(): Promise<string> {
    const [info] = await processInfos([this.#initPid()]);
    const { pid = 0, startTicks = 0 } = info ?? {};
    const setup = createHash("sha256").update(this.#setupScript()).digest("hex").slice(0, 16);
    return JSON.stringify({ pid, startTicks, addresses: this.#addressSettings(), setup });
  }

  #addressSettings(): Record<string, string> {
    const { podCidr, addressInCidr } = this.own;
    return { node: addressInCidr, podCidr, serviceCidr: this.cluster.serviceCidr };
  }

  /** Runs a command inside the node and gives its output. */
  async run(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await execa("nsenter", [...this.#enterArgs(), program, ...args]);
    return stdout;
  }

  command(component: string, argv: readonly string[]): readonly string[] {
    return this.#inCgroup(component, ["nsenter", ...this.#enterArgs(), ...argv]);
  }

  async pids(component: string): Promise<readonly number[]> {
    return this.#daemon(component).processes();
  }

  async probe(component: Component): Promise<void> {
    const { ready } = component;
    await (ready.kind === "http"
      ? probeHttp(ready, path.join(pkiDir(this.cluster), "ca.crt"))
      : probeSocket(`/proc/${this.#initPid()}/root${ready.path}`));
  }

  /** Makes the cgroups that the components are started in. */
  async makeCgroups(components: readonly Component[]): Promise<void> {
    for (const { name } of components) await this.#daemon(name).make();
  }

  #init: number | undefined;

  #initPid(): number {
    if (this.#init === undefined) throw new Error(`Node ${this.own.name} is not running`);
    return this.#init;
  }

  #enterArgs(): string[] {
    return ["--target", String(this.#initPid()), "--pid", "--mount", "--net", "--"];
  }

  #daemon(component: string): Cgroup {
    return this.cgroup.child("daemons").child(component);
  }

  #inCgroup(name: string, command: readonly string[]): readonly string[] {
    const { folders } = this.#daemon(name);
    return ["sh", "-c", joinCgroups, "sh", String(folders.length), ...folders, ...command];
  }

  async #findInit(): Promise<number | undefined> {
    const infos = await processInfos(await this.#daemon("init").processes());
    return infos.find((info) => info.innerPid === 1)?.pid;
  }

  async #startInit(): Promise<number> {
    await this.#daemon("init").make();
    const namespaces = ["--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--net"];
    const [program = "", ...args] = this.#inCgroup("init", [
      "unshare",
      ...namespaces,
      "--",
      "tini",
      "--",
      "sleep",
      "infinity",
    ]);
    const exited = new AbortController();
    const child = spawn(program, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.once("error", (error) => {
      exited.abort(error);
    });
    child.once("close", (code) => {
      exited.abort(
        new Error(`Cannot start node ${this.own.name} (exit code ${code ?? 0}): ${errors}`),
      );
    });
    try {
      this.#init = await until(
        `node ${this.own.name} to start`,
        async () => {
          const pid = await this.#findInit();
          if (pid === undefined) throw new Error("it has no init process yet");
          // Before it has become tini, the namespaces are still being made.
          const [info] = await processInfos([pid]);
          if (path.basename(info?.argv[0] ?? "") !== "tini") throw new Error("init is not up yet");
          return pid;
        },
        { timeoutMs: 20_000, everyMs: 20, signal: exited.signal },
      );
      return this.#init;
    } finally {
      child.stderr.destroy();
      child.unref();
    }
  }

  #setupScript(): string {
    const { cluster, addresses, own } = this;
    const others = addresses.nodes.filter((node) => node.place !== own.place);
    const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
    return [
      ...hidden.map((folder) => `mount -t tmpfs -o mode=755 lab ${folder}`),
      ...Object.entries(kept).flatMap(([name, folder]) => [
        `mkdir -p ${folder}`,
        `mount --bind ${quoted(path.join(own.dir, name))} ${folder}`,
      ]),
      `mkdir -p /run/containerd /var/log/containers ${cniFolders.plugins}`,
      // The machine's own folder with the plugins is every node's.
      `ln -s /usr/lib/cni/* ${cniFolders.plugins}/`,
      // Pods may ask for mounts that are seen outside of them.
      "mount --make-rshared /",
      "ip link set lo up",
      `ip addr add ${own.addressInCidr} dev eth0`,
      "ip link set eth0 up",
      // No default route: nothing gets out. Service addresses need a route before kube-proxy's rules
      // turn them into a pod's; a bridge without ports is a device that leads nowhere.
      "ip link add services type bridge",
      "ip link set services up",
      `ip route add ${cluster.serviceCidr} dev services src ${own.address}`,
      // Pods of one cluster reach each other by their own addresses, on whichever nodes they are. The
      // rule comes before those that hide a pod's address from everything outside of its node.
      ...others.flatMap((other) => [
        `ip route add ${other.podCidr} via ${other.address}`,
        `iptables -t nat -A POSTROUTING -s ${own.podCidr} -d ${other.podCidr} -j ACCEPT`,
      ]),
      "echo 1 > /proc/sys/net/ipv4/ip_forward",
    ].join("\n");
  }
}

/** Throws if the lab's files lie where a node cannot see them. */
export function checkLocations(settings: LabSettings): void {
  for (const folder of [settings.root, settings.cacheDir, process.execPath]) {
    const above = hidden.find((name) => folder.startsWith(`${name}/`));
    if (above) {
      throw new Error(
        `${folder} lies in ${above}, which the lab's nodes have their own of: move the checkout, ` +
          "or set LAB_CACHE for the cache, to a folder elsewhere",
      );
    }
  }
}
