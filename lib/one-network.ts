/**
 * Whether several clusters are in one network: their pods reach each other, without gateways between them.
 *
 * @param networks of the clusters, by their names. @default it is not known
 */
export function inOneNetwork(networks: readonly (string | undefined)[]): boolean {
  const [first, ...others] = networks;
  return first !== undefined && others.length > 0 && others.every((network) => network === first);
}
