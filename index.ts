import "./lib/compile-cache.ts";

// A static import would be compiled before there is a cache.
export const { weight, rootCaExpires, mesh, clusters } = await import("./stacks/program.ts");
