import { describe, expect, it } from "vitest";
import { CanaryWorkload, type CanaryWorkloadArgs } from "../../../components/index.ts";
import {
  podShape,
  shapeDifferences,
  type PodShape,
  type ShapeArgs,
} from "../../../lib/pod-shape.ts";
import { podDifferences, podsOf } from "../../../lib/pods.ts";
import { record } from "../../helpers/component.ts";

const image = "shop:v1";
type Args = ShapeArgs & Pick<CanaryWorkloadArgs, "template">;
const shapeOf = (args: Args) => podsOf({ name: "shop", ...args }, { image }).shape ?? {};

/** The template that the program makes of it. */
async function templateOf(args: Args): Promise<unknown> {
  const program = await record(({ opts }) => {
    const about = { service: "shop", namespace: "user", cluster: "a", environment: "prod" };
    new CanaryWorkload("work", { ...about, ...args, versions: [{ version: "v1", image }] }, opts);
  });
  return (program.named("work-v1").inputs["spec"] as { template: unknown }).template;
}

const plain = {
  protocol: "http",
  port: 8080,
  "healthPath.readinessProbe": "/healthz",
  "healthPath.livenessProbe": "/healthz",
  user: 65532,
};

describe("the shape of a service's pods", () => {
  it.each<[Args, PodShape]>([
    [{ port: 8080 }, plain],
    [
      { port: 9000, healthPath: "/ready", user: 1000 },
      {
        ...plain,
        port: 9000,
        "healthPath.readinessProbe": "/ready",
        "healthPath.livenessProbe": "/ready",
        user: 1000,
      },
    ],
    [
      {
        port: 8080,
        protocol: "grpc",
        morePorts: [{ port: 9090, protocol: "http", targetPort: 9091 }],
      },
      { protocol: "grpc", port: 8080, "morePorts.http-9090": 9091, user: 65532 },
    ],
    [
      { port: 8080, metrics: { path: "/m" } },
      {
        ...plain,
        "metrics.prometheus.io/scrape": "true",
        "metrics.prometheus.io/port": "8080",
        "metrics.prometheus.io/path": "/m",
      },
    ],
    [
      {
        port: 8080,
        template: {
          metadata: { annotations: { "prometheus.io/path": "/own", other: "1" } },
          spec: {
            securityContext: { runAsUser: null },
            containers: [
              { name: "shop", readinessProbe: { tcpSocket: { port: "http" } } },
              { name: "side", ports: [{ name: "http2", containerPort: 1 }] },
            ],
          },
        },
      },
      {
        ...{ protocol: "http", port: 8080, "healthPath.livenessProbe": "/healthz" },
        "metrics.prometheus.io/path": "/own",
      },
    ],
  ])("is, of %j, what the program's pods have", async (args, shape) => {
    expect(shapeOf(args)).toEqual(shape);
    expect(podShape(await templateOf(args), "shop")).toEqual(shape);
  });

  it("is unknown where the container is", () => {
    expect(podShape({}, "shop")).toEqual({});
    expect(podShape(undefined, "shop")).toEqual({});
    expect(podsOf({ name: "shop" }, { image })).not.toHaveProperty("shape");
  });

  it("is undefined in what somebody else has written", async () => {
    const args = {
      port: 8080,
      morePorts: [{ port: 90, protocol: "grpc", targetPort: 9090 }],
      metrics: { path: "/m" },
    } as const;
    const asked: string[] = [];
    const shape = podShape(await templateOf(args), "shop", (...field) => {
      asked.push(field.join(" "));
      return false;
    });
    expect(Object.values(shape).every((value) => value === undefined)).toBe(true);
    expect(shapeDifferences(shape, shapeOf({ port: 1, metrics: { path: "/n" } }))).toEqual([]);
    const container = 'f:spec f:containers k:{"name":"shop"}';
    expect(asked).toEqual([
      `${container} f:ports k:{"containerPort":8080,"protocol":"TCP"}`,
      `${container} f:ports k:{"containerPort":9090,"protocol":"TCP"}`,
      `${container} f:readinessProbe f:httpGet f:path`,
      `${container} f:livenessProbe f:httpGet f:path`,
      ...["scrape", "port", "path"].map(
        (name) => `f:metadata f:annotations f:prometheus.io/${name}`,
      ),
      "f:spec f:securityContext f:runAsUser",
    ]);
  });
});

describe("a change of the service's own keys", () => {
  const base: Args = {
    port: 8080,
    morePorts: [{ port: 90, protocol: "grpc", targetPort: 9090 }],
    metrics: { path: "/m" },
  };
  it.each<[Partial<Args>, readonly string[]]>([
    [{}, []],
    [{ port: 8081 }, ["port"]],
    [{ port: 8081, metrics: { path: "/n" } }, ["port", "metrics"]],
    [{ protocol: "grpc" }, ["protocol"]],
    [{ morePorts: [] }, ["morePorts"]],
    [{ morePorts: [{ port: 90, protocol: "grpc", targetPort: 9091 }] }, ["targetPort"]],
    [{ healthPath: "/ready" }, ["healthPath"]],
    [{ metrics: undefined }, ["metrics"]],
    [{ metrics: { path: "/m", port: 9999 } }, ["metrics"]],
    [{ user: 1 }, ["user"]],
  ])("%j is one of %j", (to, keys) => {
    expect(shapeDifferences(shapeOf(base), shapeOf({ ...base, ...to }))).toEqual(keys);
  });

  it("is said as a change of the template where that is another one, and is none where nobody knows", () => {
    const pods = (more: object) => podsOf({ name: "shop", ...base, ...more }, { image });
    const template = { spec: { containers: [{ name: "shop", readinessProbe: null }] } };
    expect(podDifferences(pods({}), pods({ template, user: 1 }))).toEqual([{ key: "template" }]);
    expect(podDifferences(pods({ template }), pods({ template, user: 1 }))).toEqual([
      { key: "user" },
    ]);
    const unknown = podsOf({ name: "shop" }, { image });
    expect(podDifferences(unknown, pods({ user: 1 }))).toEqual([]);
    expect(podDifferences(pods({}), unknown)).toEqual([]);
  });
});
