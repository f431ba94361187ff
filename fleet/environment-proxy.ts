import { BlockList, isIP } from "node:net";

/**
 * The proxy by which a server is reached, as Go's programs, and so kubectl and Pulumi's provider, take it from the
 * environment: HTTPS_PROXY, but for what NO_PROXY lists.
 *
 * @param server its URL
 */
export function environmentProxy(
  server: string,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  const { protocol, hostname, port } = new URL(server);
  // One that is empty counts as not set.
  const said = (name: string) => [env[name], env[name.toLowerCase()]].find(Boolean) ?? "";
  const proxy = said(protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  const host = hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const without = said("NO_PROXY").split(",");
  const at = { host, port: port === "" ? (protocol === "https:" ? "443" : "80") : port };
  if (proxy === "" || isLoopback(host) || without.some((entry) => covers(entry.trim(), at))) {
    return undefined;
  }
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Whether an entry of NO_PROXY means a server: `*`, an address, a range of them, a domain, each but ranges with a port or not. */
function covers(entry: string, { host, port }: { host: string; port: string }): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const range = /^(.+)\/(\d+)$/.exec(entry);
  if (range) return isWithin(host, range[1] ?? "", Number(range[2]));
  const [, named = entry, at = port] =
    isIP(entry) === 6 ? [] : (/^\[?([^\]]*)\]?:(\d+)$/.exec(entry) ?? []);
  if (at !== port) return false;
  const domain = named.toLowerCase().replace(/^\*(?=\.)/, "");
  return domain.startsWith(".")
    ? host.endsWith(domain)
    : host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
}

function isWithin(host: string, network: string, bits: number): boolean {
  const [of, family] = [isIP(host), isIP(network)];
  if (of === 0 || of !== family || bits > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family === 4 ? "ipv4" : "ipv6");
  return list.check(host, family === 4 ? "ipv4" : "ipv6");
}
