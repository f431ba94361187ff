import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { componentSteps, findProcess, logTail, type Host } from "../clusters/component-process.ts";
import type { Component } from "../clusters/plan.ts";
import { probeHttp } from "../clusters/probes.ts";
import { runSteps } from "../clusters/steps.ts";
import { until } from "../../lib/until.ts";

/** Writes its pid to a file, says something, and does what it is told. */
const script = (then: string) =>
  `require("fs").appendFileSync(process.argv[1], process.pid + " ");` +
  `console.log("about to ${then.slice(0, 4)}"); ${then}`;
const stay = "setInterval(() => {}, 1000)";

describe("a component's process", () => {
  let dir: string;
  let ready: () => Promise<void>;

  const component = (then: string, env: Record<string, string> = {}): Component => ({
    name: "thing",
    program: process.execPath,
    args: ["-e", script(then), path.join(dir, "pids")],
    env,
    files: { [path.join(dir, "config")]: "x: 1\n" },
    after: [],
    ready: { kind: "socket", path: "/nowhere" },
  });
  const pids = async () => {
    const text = await readFile(path.join(dir, "pids"), "utf8").catch(() => "");
    return text.trim().split(" ").filter(Boolean).map(Number);
  };
  const host = (): Host => ({
    command: (_name, argv) => argv,
    pids,
    probe: () => ready(),
    logDir: path.join(dir, "log"),
    readyTimeoutMs: 5000,
  });
  const start = (thing: Component, where = host()) => runSteps(componentSteps([thing], where));

  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "component-"));
    ready = async () => {
      if ((await pids()).length === 0) throw new Error("no pid yet");
    };
  });
  afterEach(async () => {
    for (const pid of await pids()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended already.
      }
    }
    await rm(dir, { recursive: true });
  });

  it("is started with its files, and not again while it runs as planned", async () => {
    const thing = component(stay);
    await start(thing);
    expect(await readFile(path.join(dir, "config"), "utf8")).toBe("x: 1\n");
    expect((await findProcess(thing, host()))?.pid).toBe((await pids())[0]);
    await start(thing);
    expect(await pids()).toHaveLength(1);
  });

  it("is started again when it has died", async () => {
    const thing = component(stay);
    await start(thing);
    process.kill((await pids())[0] ?? 0, "SIGKILL");
    await until(
      "the process to end",
      async () => {
        if (await findProcess(thing, host())) throw new Error("it runs");
      },
      { timeoutMs: 5000 },
    );
    ready = async () => {
      if (!(await findProcess(thing, host()))) throw new Error("it does not run");
    };
    await start(thing);
    expect(await pids()).toHaveLength(2);
  });

  it("is replaced when the plan has changed", async () => {
    await start(component(stay));
    const [old] = await pids();
    ready = async () => {
      if ((await pids()).length < 2) throw new Error("no second pid yet");
    };
    const changed = component(stay, { MODE: "new" });
    await start(changed);
    const running = await findProcess(changed, host());
    expect(running?.pid).not.toBe(old);
    expect(running?.env.get("MODE")).toBe("new");
  });

  it("that ends before it is ready is named, with the end of its log, at once", async () => {
    ready = () => Promise.reject(new Error("not yet"));
    const started = Date.now();
    await expect(
      start(component("process.exit(3)"), { ...host(), readyTimeoutMs: 60_000 }),
    ).rejects.toThrow(
      /^thing did not become ready: it ended with exit code 3\nEnd of .*thing\.log:\n {2}about to proc$/,
    );
    expect(Date.now() - started).toBeLessThan(20_000);
  });

  it("that does not become ready in time is named, and stopped", async () => {
    ready = () => Promise.reject(new Error("it says 503"));
    const thing = component(stay);
    await expect(start(thing, { ...host(), readyTimeoutMs: 1000 })).rejects.toThrow(
      "thing did not become ready: timed out after 1 s waiting for thing to be ready: it says 503",
    );
    expect(await findProcess(thing, host())).toBeUndefined();
  });

  it("has no log before it has run", async () => {
    expect(await logTail("thing", host())).toBe("(no log)");
  });
});

describe("a probe", () => {
  it("takes status 200 and tells of any other", async () => {
    let status = 503;
    const server = createServer((_request, response) =>
      response.writeHead(status).end("[-]etcd failed"),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/readyz`;
    await expect(probeHttp({ kind: "http", url }, "")).rejects.toThrow(
      `${url} answered 503: [-]etcd failed`,
    );
    status = 200;
    await probeHttp({ kind: "http", url }, "");
    server.close();
  });
});
