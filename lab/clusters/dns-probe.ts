/** Asks the name server in the first argument for the name in the second; run inside a node. */
import { Resolver } from "node:dns/promises";

const [server = "", name = ""] = process.argv.slice(2);
const resolver = new Resolver({ timeout: 1000, tries: 1 });
resolver.setServers([server]);
console.log((await resolver.resolve4(name)).join(" "));
