import path from "node:path";
import { labSettings } from "../../lab/settings.ts";
import { BROWSER, installPackages } from "../../lab/toolchain/packages.ts";
import { run } from "../../lab/toolchain/run.ts";

/** Installs the browser if it is missing. */
export async function setup(): Promise<void> {
  const log = path.join(labSettings().dir, "logs", "browser.log");
  await installPackages(BROWSER, {
    progress: (text) => {
      console.log(text);
    },
    run: (command, args, options = {}) => run(command, args, { ...options, log }),
  });
}
