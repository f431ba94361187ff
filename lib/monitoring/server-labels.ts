/** The labels by which pods and Services of monitoring are found. */
export function serverLabels(program: string) {
  return { "app.kubernetes.io/name": program, "app.kubernetes.io/part-of": "istio-canary" };
}
