/** The Istio release that the pinned source belongs to: its programs, images and charts say so. */
export const ISTIO_VERSION = "1.31.0";

/** Where the charts of an Istio release look for its images. */
export const ISTIO_HUB = "docker.io/istio";
