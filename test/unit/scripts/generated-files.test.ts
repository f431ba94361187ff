import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { load } from "js-yaml";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { generatedFiles, outdated, type GeneratedFile } from "../../../scripts/generated-files.ts";

const project = path.resolve(import.meta.dirname, "../../..");

describe("the generated files", () => {
  let generated: readonly GeneratedFile[];
  beforeAll(async () => {
    generated = await generatedFiles(project);
  });

  it("are up to date in this checkout", async () => {
    expect(await outdated(project, generated)).toEqual([]);
  });

  it("describe every key: in Pulumi.yaml, in the editor's schema and on the page", () => {
    const files = new Map(generated.map(({ file, content }) => [file, content]));
    const { config } = load(files.get("Pulumi.yaml") ?? "") as {
      config: Record<string, { type: string; description: string; default?: unknown }>;
    };
    expect(config["weight"]).toMatchObject({ type: "integer", default: 0 });
    expect(config["kubeconfig"]).toMatchObject({ type: "string", default: "" });
    expect(config["phases"]).toMatchObject({ default: [10, 30, 100], items: { type: "integer" } });
    expect(config["mesh"]).toMatchObject({ type: "object", default: {} });
    expect(config["services"]?.description).toContain(
      "- stable.replicas (whole number; default: 5): ",
    );
    const page = files.get("docs/configuration.md") ?? "";
    expect(page).toContain("### `services[].stable.replicas`\n");
    const links = [...page.matchAll(/^\| \[`.+?`\]\(#([\w-]+)\)/gm)].map(([, anchor]) => anchor);
    const headings = [...page.matchAll(/^##+ `(.+)`$/gm)].map(([, key = ""]) =>
      key.toLowerCase().replaceAll(/[^a-z0-9]/g, ""),
    );
    expect(links.length).toBeGreaterThan(60);
    expect(links).toEqual(headings);
    expect(new Set(links).size).toBe(links.length);
  });

  describe("in a folder", () => {
    let root: string;
    beforeEach(async () => {
      root = await mkdtemp(path.join(tmpdir(), "generated-"));
      for (const file of ["Pulumi.yaml", ".prettierrc.json", "docs/permissions.md"]) {
        await mkdir(path.dirname(path.join(root, file)), { recursive: true });
        await cp(path.join(project, file), path.join(root, file));
      }
    });
    afterEach(async () => {
      await rm(root, { recursive: true });
    });
    const write = async ({ file, content }: GeneratedFile) => {
      await mkdir(path.dirname(path.join(root, file)), { recursive: true });
      await writeFile(path.join(root, file), content);
    };

    it("are the same each time, whatever was there before", async () => {
      const yaml = path.join(root, "Pulumi.yaml");
      const before = await readFile(yaml, "utf8");
      await writeFile(yaml, before.replaceAll("type: string", "type: integer"));
      const permissions = path.join(root, "docs/permissions.md");
      const page = await readFile(permissions, "utf8");
      await writeFile(permissions, page.replaceAll("verbs: [get]", "verbs: [delete]"));
      expect(await generatedFiles(root)).toEqual(generated);
      expect(before).toBe(generated.find(({ file }) => file === "Pulumi.yaml")?.content);
    });

    it("are outdated when they are missing or differ, and then only", async () => {
      expect(await outdated(root, generated)).toEqual([
        "schema/stack.schema.json",
        "docs/configuration.md",
        "monitoring/dashboards/release.json",
        "monitoring/dashboards/mesh.json",
      ]);
      for (const file of generated) await write(file);
      expect(await outdated(root, generated)).toEqual([]);
      await write({ file: "docs/configuration.md", content: "edited by hand" });
      expect(await outdated(root, generated)).toEqual(["docs/configuration.md"]);
    });

    it("need the lines in docs/permissions.md that they go between", async () => {
      await write({ file: "docs/permissions.md", content: "# Permissions\n" });
      await expect(generatedFiles(root)).rejects.toThrow("docs/permissions.md must have the lines");
    });

    it("need the line in Pulumi.yaml that they go after", async () => {
      await write({ file: "Pulumi.yaml", content: "name: istio-canary\n" });
      await expect(generatedFiles(root)).rejects.toThrow(
        /Pulumi\.yaml has no line that begins with/,
      );
    });
  });
});
