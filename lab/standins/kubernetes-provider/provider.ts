import { createHash } from "node:crypto";
import { Metadata, status } from "@grpc/grpc-js";
import anyPb from "google-protobuf/google/protobuf/any_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerPb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import type * as wire from "@pulumi/pulumi/proto/provider_pb.js";
import { DetailedError, unary } from "../plugin-server.ts";
import { KubernetesClient } from "./client.ts";
import { replacedConfig } from "./config-diff.ts";
import { changesBetween, withoutIgnored, type Changes } from "./diff.ts";
import type { EngineLog } from "./engine-log.ts";
import { HelmRelease } from "./helm-release.ts";
import { connect } from "./kubeconfig.ts";
import { ObjectResource } from "./object-resource.ts";
import { parseUrn, type Urn } from "./objects.ts";
import { PartialFailure, type Resource, type Session } from "./resource.ts";
import { kubeconfigOf, settingsOf, unsupportedSettings } from "./settings.ts";
import { fromStruct, hasUnknown, redact, secretTexts, toStruct, type Fields } from "./values.ts";

const RELEASE = "kubernetes:helm.sh/v3:Release";

/** The provider's RPCs: translates between the wire and the resources. */
export class KubernetesProvider {
  readonly #version: string;
  readonly #log: EngineLog;
  readonly #cancelled = new AbortController();
  #session: Session;

  constructor(version: string, log: EngineLog) {
    this.#version = version;
    this.#log = log;
    this.#session = {
      settings: settingsOf({}),
      client: undefined,
      unreachable: "the provider has not been configured",
      signal: this.#cancelled.signal,
      tell: (urn, severity, message) => {
        log.tell(urn.text, severity, message);
      },
    };
  }

  /** Ends what is under way, so that its state is still reported before the process ends. */
  cancel(): void {
    this.#cancelled.abort(new Error("cancelled"));
  }

  readonly handlers = {
    handshake: unary((request: wire.ProviderHandshakeRequest) => {
      this.#log.connect(request.getEngineAddress());
      return new providerPb.ProviderHandshakeResponse()
        .setAcceptSecrets(true)
        .setSupportsAutonamingConfiguration(true);
    }),
    getPluginInfo: unary(() => new pluginPb.PluginInfo().setVersion(this.#version)),
    getSchema: unary(() => {
      const schema = { name: "kubernetes", version: this.#version, resources: {}, provider: {} };
      return new providerPb.GetSchemaResponse().setSchema(JSON.stringify(schema));
    }),
    cancel: unary(() => {
      this.cancel();
      return new emptyPb.Empty();
    }),
    checkConfig: unary((request: wire.CheckRequest) => {
      const failures = unsupportedSettings(fromStruct(request.getNews())).map((property) =>
        failure(property, "not supported by the lab's stand-in for the Kubernetes provider"),
      );
      return new providerPb.CheckResponse().setInputs(request.getNews()).setFailuresList(failures);
    }),
    diffConfig: unary(async (request: wire.DiffRequest) => {
      const olds = fromStruct(request.getOldInputs());
      const news = fromStruct(request.getNews());
      const changes = withoutIgnored(changesBetween(olds, news), request.getIgnorechangesList());
      return diffResponse(changes, await replacedConfig(olds, news, changes), false);
    }),
    configure: unary(async (request: wire.ConfigureRequest) => {
      await this.#configure(fromStruct(request.getArgs()));
      return new providerPb.ConfigureResponse()
        .setAcceptsecrets(true)
        .setSupportspreview(true)
        .setSupportsAutonamingConfiguration(true);
    }),
    check: unary(async (request: wire.CheckRequest) => {
      const urn = parseUrn(request.getUrn());
      const { inputs, failures } = await this.#resource(urn).check({
        urn,
        olds: fromStruct(request.getOlds()),
        news: fromStruct(request.getNews()),
        proposedName: proposedName(urn, request),
      });
      return new providerPb.CheckResponse()
        .setInputs(toStruct(inputs))
        .setFailuresList(failures.map(({ property, reason }) => failure(property, reason)));
    }),
    diff: unary((request: wire.DiffRequest) => {
      const olds = fromStruct(request.getOldInputs());
      const news = fromStruct(request.getNews());
      const changes = withoutIgnored(changesBetween(olds, news), request.getIgnorechangesList());
      const { replaces, deleteBeforeReplace } = this.#resource(
        parseUrn(request.getUrn()),
      ).replacement(olds, news, changes);
      return diffResponse(changes, replaces, deleteBeforeReplace);
    }),
    create: unary((request: wire.CreateRequest) => {
      const urn = parseUrn(request.getUrn());
      const inputs = fromStruct(request.getProperties());
      return reporting(inputs, async () => {
        const { id, state } = await this.#resource(urn).create({
          urn,
          inputs,
          preview: request.getPreview(),
          timeout: request.getTimeout(),
        });
        return new providerPb.CreateResponse().setId(id).setProperties(toStruct(state));
      });
    }),
    update: unary((request: wire.UpdateRequest) => {
      const urn = parseUrn(request.getUrn());
      const inputs = fromStruct(request.getNews());
      return reporting(inputs, async () => {
        const state = await this.#resource(urn).update({
          urn,
          id: request.getId(),
          inputs,
          state: fromStruct(request.getOlds()),
          preview: request.getPreview(),
          timeout: request.getTimeout(),
        });
        return new providerPb.UpdateResponse().setProperties(toStruct(state));
      });
    }),
    read: unary(async (request: wire.ReadRequest) => {
      const urn = parseUrn(request.getUrn());
      const found = await this.#resource(urn).read({
        urn,
        id: request.getId(),
        inputs: fromStruct(request.getInputs()),
        state: fromStruct(request.getProperties()),
      });
      const response = new providerPb.ReadResponse();
      if (!found) return response;
      return response
        .setId(request.getId())
        .setInputs(toStruct(found.inputs))
        .setProperties(toStruct(found.state));
    }),
    delete: unary(async (request: wire.DeleteRequest) => {
      const urn = parseUrn(request.getUrn());
      await this.#resource(urn).delete({
        urn,
        id: request.getId(),
        state: fromStruct(request.getProperties()),
        timeout: request.getTimeout(),
      });
      return new emptyPb.Empty();
    }),
  };

  #resource(urn: Urn): Resource {
    return urn.type === RELEASE
      ? new HelmRelease(this.#session)
      : new ObjectResource(this.#session);
  }

  /** Connects to the cluster. One that cannot be reached fails each operation that needs it, not the whole update. */
  async #configure(config: Fields): Promise<void> {
    const settings = settingsOf(config);
    this.#session = { ...this.#session, settings };
    if (hasUnknown(config)) {
      const unreachable = "the provider's configuration is known only after the update";
      this.#session = { ...this.#session, unreachable };
      return;
    }
    try {
      const client = new KubernetesClient(await connect(kubeconfigOf(config)));
      await client.json("GET", "/version");
      const namespace = settings.namespace ?? client.connection.namespace;
      this.#session = { ...this.#session, client, settings: { ...settings, namespace } };
    } catch (error) {
      const unreachable = error instanceof Error ? error.message : String(error);
      this.#session = { ...this.#session, unreachable };
    }
  }
}

function failure(property: string, reason: string): wire.CheckFailure {
  return new providerPb.CheckFailure().setProperty(property).setReason(reason);
}

/** A name for a resource that gives none: the engine's proposal, or the resource's name and 8 hex digits. */
function proposedName(urn: Urn, request: wire.CheckRequest): string | undefined {
  const { DISABLE } = providerPb.CheckRequest.AutonamingOptions.Mode;
  const options = request.getAutonaming();
  if (options?.getMode() === DISABLE) return undefined;
  if (options?.getProposedName()) return options.getProposedName();
  const seed = createHash("sha256").update(urn.text).update(request.getRandomseed_asU8());
  return `${urn.name.toLowerCase().slice(0, 44)}-${seed.digest("hex").slice(0, 8)}`;
}

function diffResponse(
  changes: Changes,
  replaces: readonly string[],
  deleteBeforeReplace: boolean,
): wire.DiffResponse {
  const { DIFF_NONE, DIFF_SOME } = providerPb.DiffResponse.DiffChanges;
  const response = new providerPb.DiffResponse()
    .setChanges(changes.size > 0 ? DIFF_SOME : DIFF_NONE)
    .setDiffsList([...new Set([...changes.keys()].map((path) => path.split(/[.[]/)[0] ?? ""))])
    .setReplacesList([...replaces])
    .setDeletebeforereplace(deleteBeforeReplace)
    .setHasdetaileddiff(true);
  for (const [path, change] of changes) {
    const kind = replaces.includes(path) ? (`${change}_REPLACE` as const) : change;
    response
      .getDetaileddiffMap()
      .set(
        path,
        new providerPb.PropertyDiff()
          .setKind(providerPb.PropertyDiff.Kind[kind])
          .setInputdiff(true),
      );
  }
  return response;
}

/** Runs an operation whose failure may leave the resource half-way, and keeps secrets out of its message. */
async function reporting<T>(inputs: Fields, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const message = redact(text, secretTexts(inputs));
    if (!(error instanceof PartialFailure)) throw new Error(message, { cause: error });
    throw initFailed(message, error);
  }
}

/** The error by which the engine keeps a resource's state although its operation failed. */
function initFailed(message: string, { id, state, inputs }: PartialFailure): DetailedError {
  const detail = new providerPb.ErrorResourceInitFailed()
    .setId(id)
    .setProperties(toStruct(state))
    .setInputs(toStruct(inputs))
    .setReasonsList([message]);
  const any = new anyPb.Any();
  any.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const rpcStatus = new statusPb.Status()
    .setCode(status.UNKNOWN)
    .setMessage(message)
    .setDetailsList([any]);
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(rpcStatus.serializeBinary()));
  return new DetailedError(message, metadata);
}
