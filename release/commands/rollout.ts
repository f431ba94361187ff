import { setTimeout as wait } from "node:timers/promises";
import { canariesOf } from "../../fleet/canary-weights.ts";
import { durationMs } from "../../lib/duration.ts";
import { beginRelease } from "../begin-release.ts";
import { EventPublisher } from "../event-publisher.ts";
import { eventFile, eventText } from "../events.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { KubernetesEvents } from "../kubernetes-events.ts";
import { Lease, thisProcess } from "../lease.ts";
import { newImages } from "../new-images.ts";
import { notify } from "../notifications.ts";
import { openRelease, requireMetrics } from "../open.ts";
import { onInterrupt } from "../on-interrupt.ts";
import type { Progress } from "../planner.ts";
import { PreviewAhead } from "../preview-ahead.ts";
import { ProgressLine } from "../progress-line.ts";
import { ReleaseStack } from "../stack.ts";
import { lowerToZero, raiseTo } from "../update-weight.ts";
import { judgedServices, planOf } from "../release-settings.ts";
import { withEvent } from "../remembered-events.ts";
import { rollout as runRollout } from "../rollout.ts";
import { timed, type RolloutEvent, type TimedEvent } from "../rollout-event.ts";
import { askWebhooks } from "../webhooks.ts";

export interface RolloutOptions {
  readonly stack: string;
  /** Retries a canary that was rolled back. */
  readonly again?: boolean;
  /** Prints events as lines of JSON, and nothing else. */
  readonly json?: boolean;
  /** A file that events are appended to. */
  readonly events?: string;
  /** Images that the release begins with, as `service=image`. @default the canaries that the config has are released */
  readonly image?: readonly string[];
  /** Names of their versions, as `service=version`. @default the images' tags */
  readonly version?: readonly string[];
}

/**
 * Takes the release through all phases, judged by each cluster's own metrics. Sets the exit code; see
 * EXIT_CODES.
 */
export async function rollout({
  stack: name,
  again,
  json,
  events: file,
  image = [],
  version = [],
}: RolloutOptions): Promise<void> {
  const images = newImages(image, version);
  if (images.length > 0) {
    // Standard output may be read by a machine.
    await beginRelease(await ReleaseStack.open(name), images, (text) => {
      console.error(text);
    });
  }
  const release = await openRelease(name);
  requireMetrics(release);
  const { stack, settings, clusters, journal, observer } = release;
  const { rollout: config } = settings;
  const plan = planOf(settings, name);
  const intervalMs = durationMs(config.interval);
  const line = new ProgressLine(json === true);
  const kubernetes = new KubernetesEvents(clusters, judgedServices(settings));
  const publisher = new EventPublisher({
    ...(file !== undefined && { append: eventFile(file) }),
    notify: async (event) =>
      (
        await Promise.all([notify(config.notifications, event, name), kubernetes.publish(event)])
      ).flat(),
    print: (event, text) => {
      if (json) console.log(text);
      else if (event.event === "look") line.show(event, plan, Date.parse(event.time));
      else line.print(eventText(event));
    },
    warn: (text) => {
      // Or the next look would be written over it.
      line.end();
      console.error(text);
    },
  });
  let progress: Progress | undefined;
  let events: readonly TimedEvent[] = [];
  // Nothing waits for it, and a cluster without it is named with what else it does not remember.
  let watching: Promise<unknown> = Promise.resolve();
  const remember = () => journal.writeProgress(progress, events, Date.now());
  const tell = (event: RolloutEvent) => {
    const happened = timed(event, Date.now());
    events = withEvent(events, happened);
    publisher.publish(happened);
  };
  // What Pulumi prints would only hide what happens; an error says what matters of it.
  const silent = () => undefined;

  if (again) {
    stack.retryOnce();
    const namespaces = settings.services.map(({ namespace }) => namespace);
    for (const [cluster, why] of await journal.retryAgain(name, namespaces)) {
      console.error(`${cluster}: that the canary is tried again could not be noted: ${why}`);
    }
  }
  const previews = new PreviewAhead(stack);
  const lease = new Lease(
    clusters,
    judgedServices(settings).map(({ namespace }) => namespace),
    name,
  );
  const stop = new AbortController();
  const leave = onInterrupt(() => {
    line.print(
      "interrupted: finishing the current step first; interrupt again to stop immediately",
    );
    stop.abort();
  });
  try {
    const { result } = await runRollout(
      plan,
      {
        look: (progress) => {
          watching = journal.writeWatch({ at: Date.now(), by: thisProcess() });
          return observer.look(progress, Date.now());
        },
        ask: (when, { weight }) => askWebhooks(config.webhooks, when, observer.webhookBody(weight)),
        expect: (weight) => void previews.begin(weight),
        raise: async (weight) => {
          await lease.take();
          await raiseTo(stack, weight, silent, previews);
        },
        rollBack: (reason) => {
          previews.stop();
          return lowerToZero(stack, reason, {
            clusters,
            find: (cluster) => canariesOf(cluster, judgedServices(settings)),
            confirmWithinMs: durationMs(settings.safety.confirmWithin),
            tell,
            print: silent,
          });
        },
        recall: async () => {
          ({ progress, events } = await journal.read());
          return progress;
        },
        remember: (next) => {
          progress = next;
          return remember();
        },
        tell,
        now: () => Date.now(),
        pause: (signal) => wait(intervalMs, undefined, { signal }).catch(() => undefined),
      },
      stop.signal,
      again,
    );
    process.exitCode = EXIT_CODES[result];
  } finally {
    line.end();
    leave();
    previews.stop();
    await Promise.all([lease.release(), watching]);
    await publisher.settled();
    // What has happened since the last step, how it ended above all.
    for (const [cluster, why] of events.length > 0 ? await remember() : []) {
      console.error(`${cluster}: how the rollout ended could not be recorded: ${why}`);
    }
  }
}
