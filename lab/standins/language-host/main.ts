/**
 * Stands in for `pulumi-language-nodejs`, Pulumi's language host for Node.js, which no package
 * registry ships. Like the official host it runs the program with the SDK's own `cmd/run`, and
 * policy packs and source plugins with `cmd/run-policy-pack` and `cmd/run-plugin`.
 *
 * Left out: installing dependencies (`pulumi install`), `pulumi new` and its templates, generating
 * code (`pulumi import`, `pulumi convert`), listing a program's dependencies and required plugins
 * (providers are found when they are first used), attaching a debugger.
 */
import { argv, execPath, version } from "node:process";
import { createRequire } from "node:module";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import languageGrpc from "@pulumi/pulumi/proto/language_grpc_pb.js";
import languagePb from "@pulumi/pulumi/proto/language_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import type { LanguageHandshakeRequest } from "@pulumi/pulumi/proto/language_pb.js";
import { servePlugin, unary } from "../plugin-server.ts";
import { Programs } from "./programs.ts";

const sdk = createRequire(import.meta.url)("@pulumi/pulumi/package.json") as { version: string };
const flags = argv.slice(2);
if (flags.includes("--version")) {
  console.log(sdk.version);
} else {
  serve(flags.findLast((flag) => !flag.startsWith("-")) ?? "");
}

/** @param engine address of the engine that started this host; a handshake may name another one */
function serve(engine: string): void {
  const programs = new Programs(engine);
  servePlugin(
    languageGrpc.LanguageRuntimeService,
    {
      handshake: unary((request: LanguageHandshakeRequest) => {
        programs.engine = request.getEngineAddress();
        return new languagePb.LanguageHandshakeResponse();
      }),
      getPluginInfo: unary(() => new pluginPb.PluginInfo().setVersion(sdk.version)),
      about: unary(() =>
        new languagePb.AboutResponse().setExecutable(execPath).setVersion(version),
      ),
      getRequiredPackages: unary(() => new languagePb.GetRequiredPackagesResponse()),
      getRequiredPlugins: unary(() => new languagePb.GetRequiredPluginsResponse()),
      run: unary(programs.run),
      runPlugin: programs.runPlugin,
      cancel: unary(async () => {
        await programs.stop();
        return new emptyPb.Empty();
      }),
    },
    async () => programs.stop(),
  );
}
