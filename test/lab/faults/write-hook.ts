import "reflect-metadata";
import { createServer, type Server } from "node:https";
import { json } from "node:stream/consumers";
import * as x509 from "@peculiar/x509";
import { z } from "zod";

import type { ClusterClient } from "../../../fleet/cluster-client.ts";
import { writeRoutes } from "../../../fleet/routing/istio/write-routes.ts";
import { hostAddress } from "../../../lab/clusters/addresses.ts";
import { algorithm, newKeys, privatePem } from "../../../lab/clusters/certificates.ts";
import { knownNodeCidr } from "../../../lab/clusters/host-network.ts";
import { labSettings } from "../../../lab/settings.ts";
import { splitOf } from "../../../lib/routing/istio/split.ts";
import { until } from "../../../lib/until.ts";
import { serviceName } from "../../../lab/mesh/service.ts";
import type { LabRelease } from "../release.ts";

const NAME = "watch-weights";

const review = z.looseObject({
  request: z.looseObject({
    uid: z.string(),
    dryRun: z.boolean().optional(),
    object: z.looseObject({ spec: z.unknown() }),
  }),
});

/** What becomes of a write of the weight; one is held for as long as the webhook is there. */
type Decision = "pass" | "hold" | "refuse";

/** An admission webhook of one cluster, through which every real write of the service's weights passes. */
export interface WriteHook {
  /** Resolves when a write is held. */
  readonly held: Promise<void>;
  /** Releases what is held, and removes the webhook. A second call does nothing. */
  remove(): Promise<void>;
}

/** Watches over the writes of a release in one cluster from now on. */
export async function watchWrites(
  cluster: ClusterClient,
  release: LabRelease,
  decide: (weight: number) => Decision,
): Promise<WriteHook> {
  const address = hostAddress((await knownNodeCidr(labSettings())) ?? "").replace(/\/.*/, "");
  const { key, certificate } = await serverCertificate(address);
  const held = Promise.withResolvers<undefined>();
  const released = Promise.withResolvers<undefined>();
  let seen = 0;
  const server = createServer({ key, cert: certificate }, (request, response) => {
    void (async () => {
      const { uid, dryRun, object } = review.parse(await json(request)).request;
      const decision = dryRun === true ? "pass" : decide(splitOf(object.spec).weight);
      if (dryRun !== true) seen += 1;
      if (decision === "hold") {
        held.resolve(undefined);
        await released.promise;
      }
      response.setHeader("content-type", "application/json");
      response.end(
        JSON.stringify({
          apiVersion: "admission.k8s.io/v1",
          kind: "AdmissionReview",
          response: {
            uid,
            allowed: decision !== "refuse",
            status: { message: "no new weight today" },
          },
        }),
      );
    })().catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  const port = await listen(server, address);
  const object = configuration(`https://${address}:${port}/`, certificate, release);
  await cluster.objects.create(object);
  const { rules } = await release.route(cluster);
  await until(
    "the webhook to be asked",
    async () => {
      await writeRoutes(cluster, serviceName(release.service), rules);
      if (seen === 0) throw new Error("a write has passed it by");
    },
    { timeoutMs: 30_000 },
  );
  let removed = false;
  return {
    held: held.promise,
    async remove() {
      if (removed) return;
      removed = true;
      released.resolve(undefined);
      await until("the webhook to be removed", () => cluster.objects.delete(object), {
        timeoutMs: 30_000,
      });
      server.closeAllConnections();
      server.close();
    },
  };
}

function configuration(url: string, certificate: string, { service }: LabRelease) {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: NAME },
    webhooks: [
      {
        name: "weights.lab.test",
        namespaceSelector: {
          matchLabels: { "kubernetes.io/metadata.name": service.namespace },
        },
        clientConfig: { url, caBundle: Buffer.from(certificate).toString("base64") },
        rules: [
          {
            apiGroups: ["networking.istio.io"],
            apiVersions: ["*"],
            operations: ["UPDATE"],
            resources: ["virtualservices"],
          },
        ],
        failurePolicy: "Ignore",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        timeoutSeconds: 30,
      },
    ],
  };
}

async function serverCertificate(address: string) {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=weights",
    keys,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "ip", value: address }])],
  });
  return { key: await privatePem(keys.privateKey), certificate: certificate.toString("pem") };
}

async function listen(server: Server, address: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, address, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the webhook has no port");
  return bound.port;
}
