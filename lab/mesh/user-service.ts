import { labService } from "./service.ts";

/** The service of the lab's own stack. */
export const userService = labService("user", "user-service.example.com");
