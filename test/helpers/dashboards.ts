/** The parts of a dashboard's JSON that tests read. */
export interface DashboardJson {
  readonly uid: string;
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly name: string }[];
  };
  readonly panels: readonly {
    readonly id: number;
    readonly type: string;
    readonly title: string;
    readonly description: string;
    readonly gridPos: { readonly x: number; readonly y: number };
    readonly fieldConfig: { readonly defaults: { readonly unit: string } };
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** Every query of every panel. */
export function panelQueries(dashboard: DashboardJson): { title: string; expr: string }[] {
  return dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr })),
  );
}
