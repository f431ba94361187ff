import { homedir } from "node:os";
import path from "node:path";
import { listedKubeconfig } from "../../../fleet/kubeconfig.ts";
import { labEnvironment, labPaths } from "../../../lab/environment.ts";
import { labSettings } from "../../../lab/settings.ts";
import { installStandIns } from "../../../lab/standins/install.ts";

/** Where the tests of Pulumi's Kubernetes provider run. */
interface Target {
  /** Whether it is the lab: only that is known to have the lab's images, a node, and the stand-in's messages. */
  readonly isLab: boolean;
  readonly kubeconfig: string;
  readonly context: string;
  /** Which pulumi, plugins, helm and kubectl a project uses. */
  readonly environment: (projectFolder: string) => Readonly<Record<string, string>>;
  /** Puts in place what pulumi needs. */
  readonly prepare: (projectFolder: string) => Promise<void>;
}

/** On the lab's first cluster, with what the lab has instead of the official programs. */
function lab(): Target {
  const settings = labSettings();
  const { kubeconfig, bin } = labPaths(settings);
  const home = (folder: string) => path.join(folder, "home");
  return {
    isLab: true,
    kubeconfig,
    context: settings.clusters[0]?.name ?? "cluster-a",
    environment: (folder) => ({ ...labEnvironment(settings), PULUMI_HOME: home(folder) }),
    prepare: async (folder) => {
      await installStandIns({ bin, pulumiHome: home(folder) });
    },
  };
}

/** On a cluster of the user's, with the official programs: those on PATH, and the plugins in PULUMI_HOME. */
function user(context: string): Target {
  const given = process.env["KUBECONFIG"] ?? "";
  const kubeconfig =
    listedKubeconfig(context) ?? (given === "" ? path.join(homedir(), ".kube", "config") : given);
  return {
    ...{ isLab: false, kubeconfig, context },
    environment: () => ({
      // Node comes with the packages.
      PATH: [
        path.join(import.meta.dirname, "../../../node_modules/.bin"),
        process.env["PATH"],
      ].join(path.delimiter),
      KUBECONFIG: kubeconfig,
      PULUMI_SKIP_UPDATE_CHECK: "true",
    }),
    prepare: async () => Promise.resolve(),
  };
}

const context = process.env["E2E_CONTEXT"];

/** The lab, or the cluster that `make e2e` names. */
export const target: Target = context === undefined ? lab() : user(context);
