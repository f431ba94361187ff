import { changes } from "../../preview/changes.ts";
import { renderPreview } from "../../preview/markdown.ts";
import { traffic } from "../../preview/traffic.ts";
import { nextWeight } from "../next-weight.ts";
import { openRelease } from "../open.ts";
import { losses } from "../update-weight.ts";

export interface PlanOptions {
  readonly stack: string;
  readonly format: "text" | "markdown" | "json";
}

/** Shows the next phase and what it would change. The config file is not touched. */
export async function plan({ stack: name, format }: PlanOptions): Promise<void> {
  const { stack, settings, clusters } = await openRelease(name);
  const { now, next } = await nextWeight(settings, clusters, name);
  if (next === undefined) {
    console.log(
      format === "json"
        ? JSON.stringify({ weight: now, next: null })
        : `The canary has ${now} % in every cluster: there is no phase after it.`,
    );
    return;
  }
  const digest = await stack.previewAt(next);
  const changed = changes(digest);
  switch (format) {
    case "json":
      console.log(
        JSON.stringify({ weight: now, next, traffic: traffic(digest), changes: changed }),
      );
      break;
    case "markdown":
      process.stdout.write(renderPreview(digest, { stack: name, now: new Date() }));
      break;
    case "text":
      console.log(
        [
          `next: from ${now} % to ${next} % in ${clusters.map((each) => each.name).join(", ")}`,
          ...changed.map(
            ({ action, cluster, kind, name: object }) =>
              ` - ${action} ${kind} ${object}${cluster === undefined ? "" : ` in ${cluster}`}`,
          ),
          ...(losses(digest).length > 0
            ? ["promote and rollout refuse this, because something is deleted or replaced."]
            : []),
        ].join("\n"),
      );
  }
}
