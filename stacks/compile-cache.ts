/**
 * Keeps what Node compiles in node_modules/.cache, for the next run. It holds for what is imported after
 * this module: as a side effect of `node --import`, or before an `import()`. A folder that cannot be
 * written to is no cache, and no error. A folder that NODE_COMPILE_CACHE names is used instead;
 * NODE_DISABLE_COMPILE_CACHE=1 switches it off.
 */
import { enableCompileCache } from "node:module";
import path from "node:path";

enableCompileCache(path.join(import.meta.dirname, "../node_modules/.cache/compile"));
