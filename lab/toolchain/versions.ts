/** The Istio release that the pinned source belongs to: its programs, images and charts say so. */
export const ISTIO_VERSION = "1.31.0";

/**
 * What the older Istio says, of which an upgrade starts: the minor version before. Its pinned source is not the commit of
 * that release but the nearest one that the Go module proxy has, on the main branch ten days after 1.30 was branched off.
 */
export const PREVIOUS_ISTIO_VERSION = "1.30.0";

/** Where the charts of an Istio release look for its images. */
export const ISTIO_HUB = "docker.io/istio";
