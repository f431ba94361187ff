/** What is said where the Pulumi CLI is needed and cannot be found. */
export const NO_PULUMI =
  "The Pulumi CLI is not on the PATH. Install it: https://www.pulumi.com/docs/iac/download-install/. To take canaries back to 0 % without it: npm run release -- zero";
