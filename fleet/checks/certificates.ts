import { X509Certificate } from "node:crypto";
import { SYSTEM_NAMESPACE } from "../../lib/names.ts";
import { authorityPems } from "../authority-pems.ts";
import type { Check } from "./check.ts";

const DAY_MS = 86_400_000;

/** A release takes days, and must not end with a mesh that has lost its trust. */
export const certificates: Check = {
  name: "the certificate authorities stay valid",
  run: async ({ cluster, limits }) => {
    const { data = {} } = await cluster.core.readNamespacedSecret({
      name: "cacerts",
      namespace: SYSTEM_NAMESPACE,
    });
    const { authority, root } = authorityPems(data);
    return [["ca-cert.pem", authority] as const, ["root-cert.pem", root] as const].flatMap(
      ([file, pem]) => {
        if (pem === undefined) {
          return [
            {
              seen: `Secret ${SYSTEM_NAMESPACE}/cacerts has no ${file}`,
              fix: "Run pulumi up --refresh.",
              mayHeal: false,
            },
          ];
        }
        const { validToDate } = new X509Certificate(Buffer.from(pem, "base64"));
        const days = Math.floor((validToDate.getTime() - Date.now()) / DAY_MS);
        return days >= limits.certificateDays
          ? []
          : [
              {
                seen: `${file} expires on ${validToDate.toISOString()}, in ${days} days; at least ${limits.certificateDays} days are required`,
                fix: `${file === "ca-cert.pem" ? "If the program generated it, set certificates.rotation to another text, and run pulumi up; else provide a new one" : "Plan the change to a new root, which rotation does not make"}. Or lower safety.certificateDays.`,
                mayHeal: false,
              },
            ];
      },
    );
  },
};
