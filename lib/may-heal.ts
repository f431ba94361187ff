/**
 * Last line of the error of a raise that nothing stands against but what may be gone in a moment: a pod
 * that is replaced, an API server that does not answer. The error reaches the release command as text, through Pulumi.
 */
export const MAY_HEAL = "All of this may heal by itself: the same change may succeed in a moment.";
