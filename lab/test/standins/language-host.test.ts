import structPb from "google-protobuf/google/protobuf/struct_pb.js";
import languagePb from "@pulumi/pulumi/proto/language_pb.js";
import { expect, test } from "vitest";
import { pluginCommand, programCommand } from "../../standins/language-host/command.ts";

const directory = process.cwd();

function info(options: Record<string, boolean | string> = {}) {
  return new languagePb.ProgramInfo()
    .setRootDirectory("/root-directory")
    .setProgramDirectory(directory)
    .setEntryPoint("index.ts")
    .setOptions(structPb.Struct.fromJavaScript(options));
}

function runRequest(options: Record<string, boolean | string> = {}) {
  const request = new languagePb.RunRequest()
    .setProject("istio-canary")
    .setStack("lab")
    .setOrganization("organization")
    .setMonitorAddress("127.0.0.1:1")
    .setParallel(16)
    .setDryrun(true)
    .setConfigsecretkeysList(["istio-canary:certificates"])
    .setInfo(info(options));
  request.getConfigMap().set("istio-canary:weight", "10");
  return request;
}

test("the program runs under the SDK's cmd/run with the engine's addresses", () => {
  const { args, cwd } = programCommand(runRequest(), "127.0.0.1:2", {});
  expect(args[0]).toMatch(/@pulumi\/pulumi\/cmd\/run\/index\.js$/);
  expect(args.slice(1)).toEqual([
    ...["--monitor", "127.0.0.1:1", "--engine", "127.0.0.1:2"],
    ...["--organization", "organization", "--project", "istio-canary"],
    ...["--root-directory", "/root-directory", "--stack", "lab", "--pwd", directory],
    ...["--dry-run", "--parallel", "16", "index.ts"],
  ]);
  expect(cwd).toBe(directory);
});

test("config is passed by the environment, in the SDK's spelling", () => {
  const { env } = programCommand(runRequest(), "", { PATH: "/bin" });
  expect(env).toEqual({
    PATH: "/bin",
    PULUMI_NODEJS_TYPESCRIPT: "true",
    PULUMI_CONFIG: '{"istio-canary:config:weight":"10"}',
    PULUMI_CONFIG_SECRET_KEYS: '["istio-canary:certificates"]',
  });
});

test("runtime options of Pulumi.yaml count", () => {
  const options = { typescript: false, nodeargs: "--a  --b", tsconfig: "tsconfig.json" };
  const { args, env } = programCommand(runRequest(options), "", {});
  expect(args.slice(0, 2)).toEqual(["--a", "--b"]);
  expect(env).not.toHaveProperty("PULUMI_NODEJS_TYPESCRIPT");
  expect(env).toMatchObject({ PULUMI_NODEJS_TSCONFIG_PATH: "tsconfig.json" });
});

test("a program without the SDK is told where to install it", () => {
  const request = runRequest().setInfo(info().setProgramDirectory("/nowhere"));
  expect(() => programCommand(request, "", {})).toThrow(
    "@pulumi/pulumi is not installed for the program in /nowhere; run npm install there",
  );
});

test("a policy pack runs in its own folder, with its folder as the last argument", () => {
  const request = new languagePb.RunPluginRequest()
    .setKind("analyzer")
    .setPwd("/elsewhere")
    .setArgsList(["127.0.0.1:2"])
    .setEnvList(["A=b=c"])
    .setInfo(info());
  const { args, cwd, env } = pluginCommand(request);
  expect(args[0]).toMatch(/cmd\/run-policy-pack\/index\.js$/);
  expect(args.slice(1)).toEqual(["127.0.0.1:2", directory]);
  expect(cwd).toBe(directory);
  expect(env).toMatchObject({ A: "b=c" });
});
