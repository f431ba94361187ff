/**
 * What the lab's programs are called where its tests run on clusters of a user's, as docs/lab.md tells under "On clusters
 * of your own": `E2E_CONTEXTS` names the clusters, `E2E_IMAGES` where the images are.
 */
const { E2E_CONTEXTS: contexts, E2E_IMAGES: images } = process.env;

/** Where the images of the echo server and of its clients come from. */
export const imageHub = images ?? "docker.io/lab";

/** Namespace of the clients; its pods get a sidecar. */
export const clientNamespace = contexts === undefined ? "client" : "e2e-client";
