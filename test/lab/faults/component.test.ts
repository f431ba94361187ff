// @module-tag campaign
import { describe, expect, it } from "vitest";

import { nthAddress } from "../../../lab/clusters/addresses.ts";
import { labStatus } from "../../../lab/clusters/status.ts";
import { labSettings } from "../../../lab/settings.ts";
import { labUp } from "../../../lab/up.ts";
import { signal } from "../component.ts";
import { withPlainClient } from "../plain-client.ts";

const settings = labSettings();
const names = settings.clusters.map(({ name }) => name);
const apiServerService = nthAddress(settings.serviceCidr, 1);
const { asksApiServer } = withPlainClient("lab-component-test");

describe("a component that has died", () => {
  it("is named with the end of its log, and restarted by the next up", async () => {
    const [first = "", last = ""] = [names[0], names.at(-1)];
    await signal(first, "kubelet", "SIGKILL");
    await signal(last, "etcd", "SIGKILL");
    const { text, ok } = await labStatus(settings);
    expect(ok).toBe(false);
    expect(text).toContain(`kubelet of ${first} is dead`);
    expect(text).toContain(`etcd of ${last} is dead`);
    expect(text).toMatch(/End of .*\/etcd\.log:\n {2}\{"level":/);

    await labUp(settings);
    expect((await labStatus(settings)).ok).toBe(true);
    for (const name of names) {
      // kube-proxy and CoreDNS are back when the API server has told them what is there.
      await expect
        .poll(() => asksApiServer(name), { message: name, timeout: 60_000 })
        .toBe(`ok from ${apiServerService}`);
    }
  });
});
