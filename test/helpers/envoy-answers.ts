/** A service as an Envoy has it. */
export interface EnvoyService {
  /** Its first host. */
  readonly host: string;
  readonly hosts: readonly string[];
  readonly stable: string;
  readonly canary: string;
  /** Percent of the canary. */
  readonly weight: number;
}

/** What an Envoy says on its admin port, as JSON. */
export interface EnvoyAnswers {
  /** To `/config_dump?resource=dynamic_route_configs`. */
  routes(services: readonly EnvoyService[]): string;
  /** To `/clusters?format=json`: the endpoints of the canaries. */
  endpoints(services: readonly EnvoyService[]): string;
}

/** No more than what is read of them. */
export const leastAnswers: EnvoyAnswers = {
  routes: (services) => {
    const hosts = services.map(({ host, hosts: domains, stable, canary, weight }) => {
      const clusters = [
        { name: `outbound|80|${stable}|${host}`, weight: 100 - weight },
        { name: `outbound|80|${canary}|${host}`, weight },
      ];
      const route = { weighted_clusters: { clusters } };
      return { name: host, domains, routes: [{ match: {}, route }] };
    });
    const route_config = { name: "80", virtual_hosts: hosts };
    return JSON.stringify({ configs: [{ last_updated: new Date().toISOString(), route_config }] });
  },
  endpoints: (services) =>
    JSON.stringify({
      cluster_statuses: services.map(({ canary, host }) => ({
        name: `outbound|80|${canary}|${host}`,
        host_statuses: [{ health_status: { eds_health_status: "HEALTHY" } }],
      })),
    }),
};
