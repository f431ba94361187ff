import "./stacks/compile-cache.ts";

// Pulumi's SDK takes a stack for each promise and has it mapped back through source maps, a fifth of a program's
// time. Node runs these files as they are, so there is nothing to map.
Reflect.deleteProperty(Error, "prepareStackTrace");

// A static import would be compiled before there is a cache.
export const { weight, versions, rootCaExpires, mesh, clusters } =
  await import("./stacks/program.ts");
