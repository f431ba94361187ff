import {
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type Metadata,
  type ServiceDefinition,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

/** Largest message in either direction, in bytes; the engine's own limit. */
const MAX_MESSAGE = 400 * 1024 * 1024;

/** How a plugin ends, in milliseconds: the engine waits 5 s after SIGINT before it calls that a bug. */
const STOP_WITHIN = 3_000;

/** How often a plugin looks whether its engine is still there, in milliseconds. */
const ENGINE_CHECK = 1_000;

/** A unary RPC as an async function; what it throws becomes the RPC's status. */
export function unary<Request, Response>(
  handle: (request: Request) => Promise<Response> | Response,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const answer = async () => handle(call.request);
    answer().then(
      (response) => {
        callback(null, response);
      },
      (error: unknown) => {
        callback(toStatus(error), null);
      },
    );
  };
}

/** An error with gRPC status details, such as "created, but not ready" with the state reached so far. */
export class DetailedError extends Error {
  readonly metadata: Metadata;

  constructor(message: string, metadata: Metadata) {
    super(message);
    this.metadata = metadata;
  }
}

function toStatus(error: unknown) {
  return {
    code: status.UNKNOWN,
    details: error instanceof Error ? error.message : String(error),
    ...(error instanceof DetailedError && { metadata: error.metadata }),
  };
}

/**
 * Serves a Pulumi plugin on a loopback port of its own and prints the port, as the engine expects.
 * RPCs without a handler answer UNIMPLEMENTED, which the engine takes for "not supported".
 *
 * @param stop called on SIGINT, SIGTERM and when the process that started this one has died; the process then exits with 0 (any other code is reported as a crash)
 */
export function servePlugin(
  service: ServiceDefinition,
  handlers: UntypedServiceImplementation,
  stop: () => Promise<void>,
): void {
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE,
    "grpc.max_send_message_length": MAX_MESSAGE,
  });
  const all: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(service)) {
    all[name] =
      handlers[name] ?? (method.responseStream ? unimplementedStream(name) : unimplemented(name));
  }
  server.addService(service, all);
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(String(port));
  });
  const end = () => {
    setTimeout(() => process.exit(0), STOP_WITHIN).unref();
    // What is under way ends with an answer first: it may be the state of a half-made resource.
    void stop().finally(() => {
      server.tryShutdown(() => process.exit(0));
    });
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, end);
  // An engine that was killed tells nobody: its plugins would stay forever.
  const engine = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === engine) return;
    clearInterval(watch);
    end();
  }, ENGINE_CHECK).unref();
}

const unimplemented = (name: string) => (_call: unknown, callback: sendUnaryData<never>) => {
  callback({ code: status.UNIMPLEMENTED, details: `${name} is not implemented` }, null);
};

// A stream must be ended by an "error" event: after destroy() the engine waits forever.
const unimplementedStream = (name: string) => (call: ServerWritableStream<unknown, never>) => {
  call.emit("error", { code: status.UNIMPLEMENTED, details: `${name} is not implemented` });
};
