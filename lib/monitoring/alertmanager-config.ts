/** Where alerts are sent. */
export interface Receivers {
  /** Incoming webhook of Slack or of a chat that speaks its format. @default none */
  readonly slackUrl?: string | undefined;
  /** URL that gets Alertmanager's own JSON. @default none */
  readonly webhookUrl?: string | undefined;
}

/** Configuration of a cluster's own Alertmanager. It holds secrets where there are receivers. */
export function alertmanagerConfig({ slackUrl, webhookUrl }: Receivers) {
  return {
    route: {
      receiver: "all",
      // One message for each service, however many of its alerts fire.
      group_by: ["cluster", "destination_service_namespace", "destination_service_name"],
      group_wait: "10s",
      group_interval: "1m",
      repeat_interval: "4h",
    },
    // A canary that fails outright need not be reported as slower than stable too.
    inhibit_rules: [
      {
        source_matchers: ['severity="critical"'],
        target_matchers: ['severity="warning"', 'alertname=~"Canary.+"'],
        equal: [
          "cluster",
          "destination_service_namespace",
          "destination_service_name",
          "destination_version",
        ],
      },
    ],
    receivers: [
      {
        name: "all",
        ...(slackUrl !== undefined && {
          slack_configs: [
            {
              api_url: slackUrl,
              send_resolved: true,
              title:
                "{{ .Status | toUpper }}: {{ .CommonLabels.alertname }} in {{ .CommonLabels.cluster }}",
              text: "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.runbook_url }}\n{{ end }}",
            },
          ],
        }),
        ...(webhookUrl !== undefined && {
          webhook_configs: [{ url: webhookUrl, send_resolved: true }],
        }),
      },
    ],
  };
}
