import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Folder of Grafana's dashboards, as Grafana exports and imports them. */
const DASHBOARDS = path.join(import.meta.dirname, "dashboards");

/** A dashboard: name of its file without the ending, and its JSON. */
export interface Dashboard {
  readonly file: string;
  readonly text: string;
}

/** Every dashboard of the folder. */
export function dashboards(): Dashboard[] {
  return readdirSync(DASHBOARDS)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => ({
      file: path.basename(name, ".json"),
      text: readFileSync(path.join(DASHBOARDS, name), "utf8"),
    }));
}
