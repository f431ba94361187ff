import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Problem } from "./problems.ts";

/** PEMs of one cluster's authority, as the configuration gives them. */
export interface GivenAuthority {
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly chain?: string | undefined;
}

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Every certificate of a PEM text, or undefined if one of them cannot be read or there is none. */
function parseAll(pem: string): X509Certificate[] | undefined {
  try {
    const found = (pem.match(PEM) ?? []).map((text) => new X509Certificate(text));
    return found.length > 0 ? found : undefined;
  } catch {
    return undefined;
  }
}

/** What is wrong with a pair of certificate and key, wherever it is used. Values are never shown. */
export function pairProblems(
  path: string,
  { certificate, key }: GivenAuthority,
  now: Date,
): Problem[] {
  if (certificate === undefined || key === undefined) {
    const missing = certificate === undefined ? "certificate" : "key";
    return [
      {
        path: `${path}.${missing}`,
        rule: "must be given: certificate and key belong together",
        fix: `Set it with: pulumi config set --path '${path}.${missing}' --secret < file.pem`,
      },
    ];
  }
  const [leaf] = parseAll(certificate) ?? [];
  if (!leaf) {
    return [notPem(`${path}.certificate`, "certificate")];
  }
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    return [
      notPem(`${path}.key`, "private key without passphrase"),
      ...dateProblems(path, leaf, now),
    ];
  }
  return [
    ...(leaf.checkPrivateKey(privateKey)
      ? []
      : [
          {
            path: `${path}.key`,
            rule: "must be the private key of its certificate",
            fix: "Use a certificate and a key that belong together.",
          },
        ]),
    ...dateProblems(path, leaf, now),
  ];
}

function notPem(path: string, what: string): Problem {
  return {
    path,
    rule: `must be a ${what} in PEM`,
    fix: `Use the content of the file, which starts with -----BEGIN.`,
  };
}

function dateProblems(path: string, certificate: X509Certificate, now: Date): Problem[] {
  const { validFromDate: from, validToDate: to } = certificate;
  return from <= now && now < to
    ? []
    : [
        {
          path: `${path}.certificate`,
          rule: `must be valid now, but it is valid from ${from.toISOString()} to ${to.toISOString()}`,
          fix: "Use a certificate that has not expired.",
        },
      ];
}

/**
 * What is wrong with certificates that are issued elsewhere: an incomplete authority, a key that belongs
 * to another certificate, an intermediate that the root has not signed, an expired certificate.
 *
 * @param path where they are in the configuration
 */
export function authorityProblems(
  path: string,
  root: string | undefined,
  authorities: Readonly<Record<string, GivenAuthority>> | undefined,
  clusters: readonly string[],
  now: Date = new Date(),
): Problem[] {
  if (root === undefined || authorities === undefined) {
    const missing = root === undefined ? "root" : "clusters";
    return [
      {
        path: `${path}.${missing}`,
        rule: "must be given: root and clusters are only useful together",
        fix: "Set both root and clusters, or neither to have both generated.",
      },
    ];
  }
  const problems: Problem[] = [];
  const [rootCertificate] = parseAll(root) ?? [];
  if (!rootCertificate) {
    problems.push(notPem(`${path}.root`, "certificate"));
  } else {
    problems.push(
      ...dateProblems(path, rootCertificate, now).map((p) => ({ ...p, path: `${path}.root` })),
      ...notCa(`${path}.root`, rootCertificate),
    );
  }
  for (const name of Object.keys(authorities).filter((name) => !clusters.includes(name))) {
    problems.push({
      path: `${path}.clusters.${name}`,
      rule: "must be a cluster of the mesh",
      fix: `Use one of ${clusters.join(", ")}, or remove it.`,
    });
  }
  for (const cluster of clusters) {
    const at = `${path}.clusters.${cluster}`;
    const given = authorities[cluster];
    if (!given) {
      problems.push({
        path: at,
        rule: "must be given: every cluster needs its own authority",
        fix: "Add its certificate and key.",
      });
      continue;
    }
    problems.push(...pairProblems(at, given, now));
    if (rootCertificate && given.certificate !== undefined) {
      problems.push(...certificateChainProblems(at, given, rootCertificate));
    }
  }
  return problems;
}

function notCa(path: string, certificate: X509Certificate): Problem[] {
  return certificate.ca
    ? []
    : [
        {
          path,
          rule: "must be a certificate authority",
          fix: "Use a certificate with the basic constraint CA:TRUE.",
        },
      ];
}

/** Follows the signatures from the intermediate over the chain to the root. */
function certificateChainProblems(
  path: string,
  { certificate = "", chain = "" }: GivenAuthority,
  root: X509Certificate,
): Problem[] {
  const [intermediate] = parseAll(certificate) ?? [];
  if (!intermediate) {
    return [];
  }
  const between = chain === "" ? [] : parseAll(chain);
  if (!between) {
    return [notPem(`${path}.chain`, "list of certificates")];
  }
  const links = [intermediate, ...between, root];
  const signed = links
    .slice(0, -1)
    .every(
      (link, i) =>
        link.checkIssued(links[i + 1] ?? root) && link.verify((links[i + 1] ?? root).publicKey),
    );
  return [
    ...notCa(`${path}.certificate`, intermediate),
    ...(signed
      ? []
      : [
          {
            path: `${path}.certificate`,
            rule: "must be signed by the root, or by the first certificate of the chain that leads to it",
            fix: "Use the root that signed it, or set chain to the certificates between the two, nearest first.",
          },
        ]),
  ];
}
