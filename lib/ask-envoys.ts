/**
 * Envoys of a cluster that are asked themselves, unless the configuration says otherwise: as many as answer within some
 * seconds through the port-forward of an API server.
 */
export const ASK_ENVOYS = 100;
