import { credentials } from "@grpc/grpc-js";
import engineGrpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import type { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb.js";

/** Shows messages beside resources in the output of `pulumi`. */
export class EngineLog {
  #client: EngineClient | undefined;

  /** @param address where the engine listens; messages are dropped while it is not known */
  connect(address: string): void {
    if (address) this.#client = new engineGrpc.EngineClient(address, credentials.createInsecure());
  }

  /** @param severity `info` is shown until the next message, `warning` stays */
  tell(urn: string, severity: "info" | "warning", message: string): void {
    const request = new enginePb.LogRequest()
      .setUrn(urn)
      .setMessage(message)
      .setSeverity(severity === "info" ? enginePb.LogSeverity.INFO : enginePb.LogSeverity.WARNING)
      .setEphemeral(severity === "info");
    this.#client?.log(request, (error) => {
      // The message is a courtesy: the operation it belongs to goes on, and reports its own errors.
      if (error) console.error(`could not show "${message}": ${error.message}`);
    });
  }
}
