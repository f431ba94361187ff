import { describe, expect, it } from "vitest";
import { dashboards } from "../../../monitoring/dashboards.ts";
import { panelQueries, type DashboardJson } from "../../helpers/dashboards.ts";

const files = dashboards().map(({ file, text }) => ({
  file,
  dashboard: JSON.parse(text) as DashboardJson,
}));

describe.each(files)("the dashboard $file", ({ dashboard }) => {
  const panels = dashboard.panels.filter(({ type }) => type !== "row");

  it("says what every panel shows, in which unit", () => {
    expect(panels.length).toBeGreaterThan(5);
    for (const { title, description, fieldConfig } of panels) {
      expect(title).toMatch(/\S/);
      expect(description, title).toMatch(/\.$/);
      expect(fieldConfig.defaults.unit, title).toMatch(/^(percentunit|reqps|ops|ms|s|none)$/);
    }
    const titles = panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it("gives every panel an id and a place of its own", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const places = dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(places).size).toBe(places.length);
  });

  it("asks the data source that the reader chooses", () => {
    expect(dashboard.templating.list[0]).toMatchObject({ type: "datasource", name: "datasource" });
    const named = [...JSON.stringify(dashboard).matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid);
    expect(new Set(named)).toEqual(new Set([dashboard.uid, "${datasource}"]));
  });

  it("uses Grafana's own interval for rates, and only variables that it has", () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    for (const { expr, title } of panelQueries(dashboard)) {
      for (const [, range] of expr.matchAll(/\[(.+?)\]/g)) {
        expect(range, title).toBe("$__rate_interval");
      }
      for (const [, name] of expr.matchAll(/\$(\w+)/g)) {
        expect([...names, "__rate_interval"], title).toContain(name);
      }
      expect(expr, title).toContain("$cluster");
    }
  });

  it("cannot be changed by accident, and has a fixed address", () => {
    expect(dashboard).toMatchObject({
      editable: false,
      uid: expect.stringMatching(/^istio-canary-/) as string,
    });
  });
});
