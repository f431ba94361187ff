import { vi } from "vitest";

// The test files of a worker share what is in node_modules, which takes long to load. The project's own
// modules, their state and their mocks are each file's own.
vi.resetModules();

// Pulumi takes a stack for each of its promises, and each frame is looked up in a source map.
Error.stackTraceLimit = 4;
