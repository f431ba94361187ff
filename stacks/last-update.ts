import * as pulumi from "@pulumi/pulumi";

/** What the stack's last complete update has said; it is read at most once, and only if somebody asks. */
export class LastUpdate {
  #clusters: Promise<unknown> | undefined;

  /** The output `clusters`; undefined if there was no such update. */
  async clusters(): Promise<unknown> {
    return (this.#clusters ??= this.#read("clusters"));
  }

  async #read(output: string): Promise<unknown> {
    const name = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
    const last = new pulumi.StackReference("last-update", { name });
    const details = (await last.getOutputDetails(output)) as { readonly value?: unknown };
    return details.value;
  }
}
