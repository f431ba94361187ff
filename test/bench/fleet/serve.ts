import { startServers, type FleetSize } from "./servers.ts";

// A process of its own, so that the time and memory of the servers are not the program's.
const servers = await startServers(JSON.parse(process.argv[2] ?? "") as FleetSize);
process.send?.(servers.map(({ url }) => url));
process.on("message", () => {
  process.send?.(
    servers.map(({ requests, forwards }) => ({
      lists: requests.filter((request) => request.endsWith("/pods")).length,
      forwards: forwards.all,
    })),
  );
});
