/** When an object counts as ready, and what it is waiting for, as functions of the object alone. */
import { annotation } from "./objects.ts";
import { at, fieldsAt, listAt, textAt, type Fields } from "./values.ts";

export type Readiness =
  | { readonly state: "ready" }
  | { readonly state: "waiting"; readonly reason: string }
  /** Waiting longer cannot help. */
  | { readonly state: "failed"; readonly reason: string };

const READY: Readiness = { state: "ready" };
const waiting = (reason: string): Readiness => ({ state: "waiting", reason });
const failed = (reason: string): Readiness => ({ state: "failed", reason });

function count(object: Fields, ...path: string[]): number {
  const value = at(object, ...path);
  return typeof value === "number" ? value : 0;
}

function replicasOf(object: Fields): number {
  const value = at(object, "spec", "replicas");
  return typeof value === "number" ? value : 1;
}

/** A condition of the object's status, such as `Available`. */
function condition(object: Fields, type: string): Fields {
  const found = listAt(object, "status", "conditions").find(
    (item) => textAt(item, "type") === type,
  );
  return fieldsAt(found);
}

function notYetSeen(object: Fields): boolean {
  return count(object, "status", "observedGeneration") < count(object, "metadata", "generation");
}

function deployment(object: Fields): Readiness {
  if (notYetSeen(object)) return waiting("the controller has not seen the change yet");
  const progressing = condition(object, "Progressing");
  const denied = condition(object, "ReplicaFailure");
  const denial = denied["status"] === "True" ? `: ${textAt(denied, "message") ?? ""}` : "";
  if (progressing["status"] === "False" && progressing["reason"] === "ProgressDeadlineExceeded") {
    return failed(`progress deadline exceeded: ${textAt(progressing, "message") ?? ""}${denial}`);
  }
  const wanted = replicasOf(object);
  const updated = count(object, "status", "updatedReplicas");
  const available = count(object, "status", "availableReplicas");
  const old = count(object, "status", "replicas") - updated;
  if (updated < wanted) return waiting(`${updated} of ${wanted} pods have been updated${denial}`);
  if (old > 0) return waiting(`${old} old pods are still there`);
  if (available < updated) return waiting(`${available} of ${updated} pods are available${denial}`);
  return READY;
}

function statefulSet(object: Fields): Readiness {
  if (notYetSeen(object)) return waiting("the controller has not seen the change yet");
  const wanted = replicasOf(object);
  const ready = count(object, "status", "readyReplicas");
  if (ready < wanted) return waiting(`${ready} of ${wanted} pods are ready`);
  if (at(object, "spec", "updateStrategy", "type") === "OnDelete") return READY;
  const updated = count(object, "status", "updatedReplicas");
  const expected = wanted - count(object, "spec", "updateStrategy", "rollingUpdate", "partition");
  return updated < expected ? waiting(`${updated} of ${expected} pods have been updated`) : READY;
}

function daemonSet(object: Fields): Readiness {
  if (notYetSeen(object)) return waiting("the controller has not seen the change yet");
  const wanted = count(object, "status", "desiredNumberScheduled");
  const updated = count(object, "status", "updatedNumberScheduled");
  const available = count(object, "status", "numberAvailable");
  if (at(object, "spec", "updateStrategy", "type") !== "OnDelete" && updated < wanted) {
    return waiting(`${updated} of ${wanted} pods have been updated`);
  }
  return available < wanted ? waiting(`${available} of ${wanted} pods are available`) : READY;
}

function job(object: Fields): Readiness {
  const failure = condition(object, "Failed");
  if (failure["status"] === "True") {
    return failed(`the job failed: ${textAt(failure, "message") ?? ""}`);
  }
  if (condition(object, "Complete")["status"] === "True") return READY;
  return waiting(`${count(object, "status", "succeeded")} pods have succeeded`);
}

function pod(object: Fields): Readiness {
  const phase = textAt(object, "status", "phase");
  if (phase === "Failed")
    return failed(`the pod failed: ${textAt(object, "status", "message") ?? ""}`);
  if (phase === "Succeeded" || condition(object, "Ready")["status"] === "True") return READY;
  return waiting(`the pod is ${phase ?? "not scheduled"}`);
}

function service(object: Fields): Readiness {
  if (at(object, "spec", "type") !== "LoadBalancer") return READY;
  return listAt(object, "status", "loadBalancer", "ingress").length > 0
    ? READY
    : waiting("the load balancer has no address yet");
}

/** Whether an object is a Secret for which a controller issues a token. */
export function isTokenSecret(object: Fields): boolean {
  return (
    at(object, "apiVersion") === "v1" &&
    at(object, "kind") === "Secret" &&
    at(object, "type") === "kubernetes.io/service-account-token"
  );
}

/** Whether an object is a claim of a volume. */
export function isClaim(object: Fields): boolean {
  return at(object, "apiVersion") === "v1" && at(object, "kind") === "PersistentVolumeClaim";
}

/**
 * Whether a claim is ready, as in untilCoreV1PersistentVolumeClaimReady of the official provider: bound, or pending where
 * its class waits for a pod.
 *
 * @param bindingMode that of its class, if it can be read
 */
export function claimReadiness(claim: Fields, bindingMode: string | undefined): Readiness {
  const phase = textAt(claim, "status", "phase") ?? "without a phase";
  const isReady =
    phase === "Bound" || (bindingMode === "WaitForFirstConsumer" && phase === "Pending");
  return isReady ? READY : waiting(`the claim is ${phase}`);
}

function secretObject(object: Fields): Readiness {
  if (!isTokenSecret(object)) return READY;
  return textAt(object, "data", "token")
    ? READY
    : waiting(
        `the controller has not issued a token yet for the service account ${
          annotation(object, "kubernetes.io/service-account.name") ?? ""
        }`,
      );
}

function customResourceDefinition(object: Fields): Readiness {
  const names = condition(object, "NamesAccepted");
  if (names["status"] === "False") return failed(textAt(names, "message") ?? "names not accepted");
  return condition(object, "Established")["status"] === "True"
    ? READY
    : waiting("the definition is not established yet");
}

const RULES: Record<string, (object: Fields) => Readiness> = {
  "apps/v1/Deployment": deployment,
  "apps/v1/StatefulSet": statefulSet,
  "apps/v1/DaemonSet": daemonSet,
  "batch/v1/Job": job,
  "v1/Pod": pod,
  "v1/Service": service,
  "v1/Secret": secretObject,
  "apiextensions.k8s.io/v1/CustomResourceDefinition": customResourceDefinition,
};

/** Whether an object is ready; kinds without a rule are ready as soon as they exist. */
export function readiness(object: Fields): Readiness {
  const rule = RULES[`${textAt(object, "apiVersion") ?? ""}/${textAt(object, "kind") ?? ""}`];
  return rule?.(object) ?? READY;
}

/** Whether a Service is ready only when a pod stands behind it, as the official provider has it. */
export function needsEndpoints(object: Fields): boolean {
  return (
    at(object, "apiVersion") === "v1" &&
    at(object, "kind") === "Service" &&
    at(object, "spec", "type") !== "ExternalName" &&
    at(object, "spec", "clusterIP") !== "None" &&
    Object.keys(fieldsAt(object, "spec", "selector")).length > 0
  );
}

/**
 * Why a Service's pods keep it from being ready, or undefined if they do not. Like the official provider (service.go),
 * it waits for every pod that is selected; unlike it, also for the first one, where that waits ten seconds for one to come.
 */
export function missingEndpoints(slices: readonly Fields[]): string | undefined {
  const conditions = slices
    .flatMap((slice) => listAt(slice, "endpoints"))
    .map((endpoint) => fieldsAt(endpoint, "conditions"))
    .filter(({ terminating }) => terminating !== true);
  const pending = conditions.filter(({ ready }) => ready === false).length;
  if (pending > 0) return `${pending} pods behind the service are not ready`;
  return conditions.length === 0 ? "no ready pod stands behind the service" : undefined;
}
