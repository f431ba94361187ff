import type { X509Certificate } from "node:crypto";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { answersOf } from "../ask-pods.ts";
import { authoritiesOf, isIssuedBy, rootsOf } from "../authorities.ts";
import { istiodPods } from "../istiod-pods.ts";
import type { Check, Finding } from "./check.ts";

const DAY_MS = 86_400_000;

/**
 * What is wrong with the end of a certificate.
 *
 * @param what as in "the root certificate"
 * @param least days that it must still be valid
 */
function expiry(
  what: string,
  { validToDate }: X509Certificate,
  least: number,
  { fix, mayHeal }: Pick<Finding, "fix" | "mayHeal">,
): readonly Finding[] {
  const days = Math.floor((validToDate.getTime() - Date.now()) / DAY_MS);
  return days >= least
    ? []
    : [
        {
          seen: `${what} expires on ${validToDate.toISOString()}, in ${days} days; at least ${least} days are required`,
          fix: `${fix} Or lower safety.certificateDays.`,
          mayHeal,
        },
      ];
}

/** A release takes days, and must not end with a mesh that has lost its trust. */
export const certificates: Check = {
  name: "the certificate authorities stay valid",
  run: async ({ cluster, limits: { certificateDays } }) => {
    const [roots, chains] = await Promise.all([
      rootsOf(cluster),
      answersOf(
        () => istiodPods(cluster),
        (pod) => authoritiesOf(cluster, pod),
      ),
    ]);
    const findings = chains.flatMap((authorities): readonly Finding[] => {
      const above = authorities.filter((each) => !isIssuedBy(each, each));
      return above.flatMap((authority) =>
        expiry("the certificate authority by which istiod signs", authority, certificateDays, {
          fix: "If the program generated it, set certificates.rotation to another text, and run pulumi up; else provide a new one. istiod loads it within two minutes.",
          // Until istiod has loaded the new one.
          mayHeal: true,
        }),
      );
    });
    const used = roots.filter((root) =>
      chains.some((authorities) => authorities.some((each) => isIssuedBy(each, root))),
    );
    if (chains.some((authorities) => authorities.length > 0) && used.length === 0) {
      findings.push({
        seen: `no root in ConfigMap ${SYSTEM_NAMESPACE}/istio-ca-root-cert has issued the certificate authority by which istiod signs`,
        fix: "Run pulumi up --refresh.",
        mayHeal: true,
      });
    }
    const trusted = used.length > 0 ? used : roots;
    findings.push(
      ...trusted.flatMap((root) =>
        expiry("the root certificate", root, certificateDays, {
          fix: "Plan the change to a new root, which rotation does not make.",
          mayHeal: false,
        }),
      ),
    );
    // All pods of istiod say the same.
    return [...new Map(findings.map((finding) => [finding.seen, finding])).values()];
  },
};
