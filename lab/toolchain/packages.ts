import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Step, Work } from "./steps.ts";

/** A Debian package, and a program or file of it that the lab needs, wherever that comes from. */
interface Package {
  readonly name: string;
  /** A program on PATH, or an absolute path. */
  readonly provides: string;
}

/** What the lab needs from the machine's own distribution. */
export const PACKAGES: readonly Package[] = [
  { name: "ca-certificates", provides: "/etc/ssl/certs/ca-certificates.crt" },
  { name: "containerd", provides: "containerd" },
  { name: "containernetworking-plugins", provides: "/usr/lib/cni/bridge" },
  { name: "curl", provides: "curl" },
  { name: "iproute2", provides: "ip" },
  { name: "iptables", provides: "iptables" },
  { name: "mmdebstrap", provides: "mmdebstrap" },
  { name: "python3-pip", provides: "pip3" },
  { name: "runc", provides: "runc" },
  { name: "tini", provides: "tini" },
  { name: "util-linux", provides: "nsenter" },
];

/** What the tests of pages need. */
export const BROWSER: readonly Package[] = [{ name: "chromium", provides: "chromium" }];

/** Names of the packages of which something is missing. */
export function missingPackages(
  packages: readonly Package[] = PACKAGES,
  path: string = process.env["PATH"] ?? "",
): string[] {
  // Some of the programs are for root alone, and sudo and su differ in whether PATH says so.
  const folders = [...path.split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return packages
    .filter(
      ({ provides }) =>
        !(
          provides.startsWith("/") ? [provides] : folders.map((folder) => join(folder, provides))
        ).some(isReadable),
    )
    .map(({ name }) => name);
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Installs those of the packages that are missing with apt, as the machine is set up for it. */
export async function installPackages(
  packages: readonly Package[],
  { progress, run }: Work,
): Promise<void> {
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  progress(`apt-get update, for ${missing.join(" ")}`);
  await run("apt-get", ["update"], { env: APT_ENV });
  progress(`apt-get install ${missing.join(" ")}`);
  await run(
    "apt-get",
    ["install", "--yes", "--no-install-recommends", ...APT_OPTIONS, ...missing],
    { env: APT_ENV },
  );
  const still = missingPackages(packages);
  if (still.length > 0) {
    const files = packages.filter(({ name }) => still.includes(name));
    throw new Error(
      `installed, but not found: ${files.map(({ name, provides }) => `${provides} of ${name}`).join(", ")}`,
    );
  }
}

/** Installs what the lab needs from the machine's own distribution. */
export const debianPackages: Step = {
  name: "debian packages",
  after: [],
  isDone: () => missingPackages().length === 0,
  work: (work) => installPackages(PACKAGES, work),
};

/** Installs what the tests of pages need, once no other step is at work with apt. */
export const browserPackages: Step = {
  name: "browser",
  after: [debianPackages],
  isDone: () => missingPackages(BROWSER).length === 0,
  work: (work) => installPackages(BROWSER, work),
};

export const APT_ENV = { DEBIAN_FRONTEND: "noninteractive" };

const APT_OPTIONS = [
  // Another apt may be at work for a while.
  "-o",
  "DPkg::Lock::Timeout=120",
  // The lab starts its own containerd per cluster; the package must not start one for the machine.
  "-o",
  "Dpkg::Options::=--path-exclude=/lib/systemd/system/containerd.service",
  "-o",
  "Dpkg::Options::=--path-exclude=/usr/lib/systemd/system/containerd.service",
];
