import eslint from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/** What the files of a folder must not import, as docs/architecture.md tells it. */
const boundaries = [
  {
    folder: "lib",
    why: "lib/ is pure: it knows neither Pulumi, clusters nor files.",
    packages: ["@pulumi/*", "@kubernetes/*", "node:fs", "node:fs/*", "node:child_process", "execa"],
    above: ["components", "fleet", "monitoring", "stacks", "preview", "release", "lab", "scripts"],
  },
  {
    folder: "fleet",
    why: "fleet/ talks to clusters, and knows nothing of Pulumi.",
    packages: ["@pulumi/*"],
    above: ["components", "monitoring", "stacks", "preview", "release", "lab", "scripts"],
  },
  {
    folder: "fleet/routing",
    why: "fleet/ talks to clusters, and knows nothing of Pulumi.",
    packages: ["@pulumi/*"],
    above: ["components", "monitoring", "stacks", "preview", "release", "lab", "scripts"],
    knowsRoutes: true,
  },
  {
    folder: "components",
    why: "components/ can be used from another program: they register resources and talk to no cluster.",
    packages: ["@kubernetes/*"],
    above: ["fleet", "stacks", "preview", "release", "lab", "scripts"],
  },
  {
    folder: "stacks",
    why: "stacks/ is the program that the commands run.",
    packages: [],
    above: ["preview", "release", "lab", "scripts"],
  },
  {
    folder: "preview",
    why: "preview/ reads what Pulumi prints, and talks to no cluster.",
    packages: ["@kubernetes/*"],
    above: ["fleet", "release", "lab", "scripts"],
  },
  {
    folder: "release",
    why: "release/ works on any clusters, not only on the lab's.",
    packages: [],
    above: ["lab", "scripts"],
  },
];

/** What only the routing module may know; everybody else asks its interface. */
const routes = {
  group: ["**/routing/istio/**"],
  message:
    "Only lib/routing/ and fleet/routing/ know VirtualServices: use their interface (docs/decisions/0002-routing-module.md).",
};

export default defineConfig(
  { ignores: [".lab/", "node_modules/"] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.config.js"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // The Kubernetes client declares its plain objects as classes.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      // Numbers read well in messages; everything else must be turned into text on purpose.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  {
    // What a browser runs, as it is.
    files: ["release/dashboard/client.js"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      parserOptions: { projectService: false },
      globals: { document: "readonly", EventSource: "readonly", URLSearchParams: "readonly" },
    },
  },
  boundaries.map(({ folder, why, packages, above, knowsRoutes = false }) => ({
    files: [`${folder}/**`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: [...packages, ...above.map((other) => `**/../${other}/**`)],
              message: why,
            },
            ...(knowsRoutes ? [] : [routes]),
          ],
        },
      ],
    },
  })),
  { files: ["lab/**"], rules: { "no-restricted-imports": ["error", { patterns: [routes] }] } },
);
