/** Tests of rules of a release that change nothing of a mesh, and need no metrics. */
const SAFE = [
  "concurrent",
  "killed",
  "modes",
  "order",
  "pods",
  "quarantine",
  "rollback",
  "safety",
].map((name) => `test/lab/${name}.test.ts`);

/** Tests that break a cluster, with no more than its API server. */
const DESTRUCTIVE = ["test/lab/faults/istiod.test.ts"];

/** What `make e2e` runs. */
interface E2eTests {
  /** The two contexts. */
  readonly contexts: readonly string[];
  readonly files: readonly string[];
}

const listed = (names: string | undefined) =>
  (names ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");

/**
 * The tests for the clusters that `E2E_CONTEXTS` names; what breaks clusters only if `E2E_DESTRUCTIVE` names them, too.
 *
 * @throws if a variable does not name what it must
 */
export function e2eTests(env: NodeJS.ProcessEnv = process.env): E2eTests {
  const contexts = listed(env["E2E_CONTEXTS"]);
  if (new Set(contexts).size !== 2 || contexts.length !== 2) {
    throw new Error("E2E_CONTEXTS: must name two contexts, as in make e2e CONTEXTS=a,b");
  }
  if (listed(env["E2E_IMAGES"]).length === 0) {
    throw new Error(
      "E2E_IMAGES: must say where the images of the tests are, as in make e2e CONTEXTS=a,b IMAGES=registry.example.com/e2e. " +
        "make e2e-images IMAGES=registry.example.com/e2e makes them.",
    );
  }
  const broken = listed(env["E2E_DESTRUCTIVE"]);
  const strangers = broken.filter((context) => !contexts.includes(context));
  if (strangers.length > 0 || (broken.length > 0 && new Set(broken).size !== contexts.length)) {
    throw new Error(
      `E2E_DESTRUCTIVE: must name the same contexts as CONTEXTS (${contexts.join(",")}), or none; it names ${broken.join(",")}`,
    );
  }
  return { contexts, files: broken.length > 0 ? [...SAFE, ...DESTRUCTIVE] : SAFE };
}
