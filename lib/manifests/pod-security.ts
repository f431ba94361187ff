/** A Pod Security Standard that a namespace may enforce. */
export type PodSecurity = "baseline" | "restricted";

/** The label by which a namespace enforces it. */
export function podSecurityLabels(standard: PodSecurity | undefined): Record<string, string> {
  return standard === undefined ? {} : { "pod-security.kubernetes.io/enforce": standard };
}

/** The security context of a pod that passes the Pod Security Standard `restricted`, with volumes that its user may read. */
export function podSecurity(user: number) {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    seccompProfile: { type: "RuntimeDefault" },
  };
}
