// What ECharts is asked to draw, from a grid and a tile.
import type { EChartsCoreOption } from 'echarts/core';
import type { Cell, Format, Grid, TileSpec } from './api';
import type { Look } from './chart';
import { axis, label, show } from './format';

const small = 11;

// Colours belong to names, so that a filter never swaps them; the first names seen take the first colours.
const colours = new Map<string, Map<string, number>>();
export function colourIndex(scope: string, names: string[]): Map<string, number> {
  const known = colours.get(scope) ?? new Map<string, number>();
  colours.set(scope, known);
  for (const name of [...names].sort()) if (!known.has(name)) known.set(name, known.size);
  return known;
}

export function base(look: Look): EChartsCoreOption {
  return {
    animation: false, useUTC: true, textStyle: { fontFamily: look.font }, color: look.palette,
    grid: { left: 4, right: 10, top: 30, bottom: 2, containLabel: true },
    tooltip: {
      trigger: 'axis', confine: true, backgroundColor: look.card, borderColor: look.line, borderWidth: 1, padding: [8, 10],
      textStyle: { color: look.ink, fontSize: 12 }, axisPointer: { lineStyle: { color: look.muted, type: 'dashed' } },
      extraCssText: 'border-radius:8px;box-shadow:0 6px 24px rgb(0 0 0/.16);',
    },
  };
}

export const legend = (look: Look, data?: string[]) => ({
  top: 0, right: 4, icon: 'roundRect', itemWidth: 10, itemHeight: 10, itemGap: 14, type: 'plain', data,
  textStyle: { color: look.muted, fontSize: small }, inactiveColor: look.line,
});

export const timeAxis = (look: Look, extra: object = {}) => ({
  type: 'time', axisLine: { lineStyle: { color: look.line } }, axisTick: { show: false }, splitLine: { show: false },
  axisLabel: { color: look.muted, fontSize: small, hideOverlap: true }, ...extra,
});

export const valueAxis = (look: Look, format?: Format, currency?: string, extra: object = {}) => ({
  type: 'value', splitNumber: 4, axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: look.line, width: 1 } },
  axisLabel: { color: look.muted, fontSize: small, formatter: (value: number) => axis(value, format, currency) }, ...extra,
});

const categoryAxis = (look: Look, data: string[], extra: object = {}) => ({
  type: 'category', data, axisLine: { lineStyle: { color: look.line } }, axisTick: { show: false },
  axisLabel: { color: look.muted, fontSize: small }, ...extra,
});

function column(grid: Grid, name: string | null | undefined, fallback: number): number {
  const at = grid.columns.findIndex((item) => item.name.toLowerCase() === (name ?? '').toLowerCase());
  return at >= 0 ? at : fallback;
}

function faded(colour: string, share: number): string {
  const channels = /^#(..)(..)(..)$/.exec(colour);
  return channels ? `rgba(${channels.slice(1).map((part) => parseInt(part, 16)).join(',')},${share})` : colour;
}

interface Series { name: string; points: [Cell, Cell][] }

function split(grid: Grid, tile: TileSpec): Series[] {
  const [x, y] = [grid.values[column(grid, tile.x, 0)] ?? [], grid.values[column(grid, tile.y, 1)] ?? []];
  const by = tile.by ? grid.values[column(grid, tile.by, 2)] : undefined;
  const found = new Map<string, [Cell, Cell][]>();
  x.forEach((value, index) => {
    const name = by ? label(by[index]) : tile.measure || tile.title;
    const points = found.get(name) ?? [];
    found.set(name, points);
    points.push([value, y[index] ?? null]);
  });
  return [...found].map(([name, points]) => ({ name, points })).sort((one, two) => one.name.localeCompare(two.name));
}

export function tileOption(scope: string, tile: TileSpec, grid: Grid, chosen: (string | null)[]): (look: Look) => EChartsCoreOption {
  if (tile.type === 'donut') return (look) => donut(scope, tile, grid, chosen, look);
  const isTime = grid.columns[column(grid, tile.x, 0)]?.is_time ?? false;
  if (tile.type === 'bar' && !isTime && !tile.by) return (look) => ranking(tile, grid, chosen, look);
  return (look) => lines(scope, tile, grid, chosen, isTime, look);
}

const isChosen = (chosen: (string | null)[], name: string) => chosen.length === 0 || chosen.some((value) => label(value) === name);
const tip = (tile: TileSpec) => ({ valueFormatter: (value: unknown) => show(value as Cell, tile.format, tile.currency) });

function lines(scope: string, tile: TileSpec, grid: Grid, chosen: (string | null)[], isTime: boolean, look: Look): EChartsCoreOption {
  const series = split(grid, tile);
  const index = colourIndex(`${scope}/${tile.by ?? tile.id}/${tile.click_by ?? ''}`, series.map((item) => item.name));
  const categories = isTime ? [] : [...new Set(series.flatMap((item) => item.points.map((point) => label(point[0]))))];
  const all = base(look);
  const isBar = tile.type === 'bar';
  return {
    ...all, tooltip: { ...(all.tooltip as object), ...tip(tile) },
    grid: { left: 4, right: 12, top: tile.by ? 30 : 10, bottom: 2, containLabel: true },
    legend: tile.by ? legend(look, series.map((item) => item.name)) : { show: false },
    xAxis: isTime ? timeAxis(look) : categoryAxis(look, categories, { boundaryGap: isBar }),
    yAxis: valueAxis(look, tile.format, tile.currency),
    series: series.map((item, order) => {
      const colour = look.palette[(index.get(item.name) ?? 0) % look.palette.length]!;
      const share = isChosen(tile.click_by ? chosen : [], item.name) ? 1 : 0.18;
      return {
        id: item.name, name: item.name, type: isBar ? 'bar' : 'line', data: isTime ? item.points : item.points.map((point) => [label(point[0]), point[1]]),
        showSymbol: item.points.length === 1, symbolSize: 6, smooth: 0.15, lineStyle: { width: 2, opacity: share }, stack: tile.stacked ? 'all' : undefined,
        itemStyle: { color: colour, opacity: share, borderRadius: isBar ? [3, 3, 0, 0] : 0 }, barMaxWidth: 22, emphasis: { focus: 'none' }, sampling: 'lttb',
        areaStyle: tile.type === 'area' ? {
          opacity: share,
          color: { type: 'linear', x: 0, y: 0, x2: 0, y2: 1, colorStops: [{ offset: 0, color: faded(colour, 0.28) }, { offset: 1, color: faded(colour, 0.02) }] },
        } : undefined,
        markLine: tile.mark !== null && tile.mark !== undefined && order === 0 ? mark(tile.mark, look) : undefined,
      };
    }),
  };
}

export const mark = (value: number, look: Look) => ({
  silent: true, symbol: 'none', lineStyle: { color: look.bad, type: 'dashed' }, label: { show: false }, data: [{ yAxis: value }],
});

function ranking(tile: TileSpec, grid: Grid, chosen: (string | null)[], look: Look): EChartsCoreOption {
  const names = (grid.values[column(grid, tile.x, 0)] ?? []).map(label);
  const values = grid.values[column(grid, tile.y, 1)] ?? [];
  const all = base(look);
  return {
    ...all, grid: { left: 4, right: 54, top: 2, bottom: 2, containLabel: true },
    tooltip: { ...(all.tooltip as object), trigger: 'item', ...tip(tile) },
    xAxis: valueAxis(look, tile.format, tile.currency, { show: false }),
    yAxis: categoryAxis(look, names, { inverse: true, axisLine: { show: false }, axisLabel: { color: look.ink, fontSize: small, width: 110, overflow: 'truncate' } }),
    series: [{
      id: 'bars', type: 'bar', name: tile.measure || tile.title, barMaxWidth: 16, barCategoryGap: '28%', emphasis: { focus: 'none' },
      showBackground: true, backgroundStyle: { color: faded(look.accent.length === 7 ? look.accent : '#4477ff', 0.06), borderRadius: 4 },
      label: { show: true, position: 'right', color: look.muted, fontSize: small, formatter: (item: { value: number }) => axis(item.value, tile.format, tile.currency) },
      data: values.map((value, index) => ({ value, name: names[index], itemStyle: { color: look.palette[0], opacity: isChosen(chosen, names[index]!) ? 1 : 0.25, borderRadius: 4 } })),
    }],
  };
}

function donut(scope: string, tile: TileSpec, grid: Grid, chosen: (string | null)[], look: Look): EChartsCoreOption {
  const names = (grid.values[column(grid, tile.x, 0)] ?? []).map(label);
  const values = (grid.values[column(grid, tile.y, 1)] ?? []).map((value) => Number(value ?? 0));
  const index = colourIndex(`${scope}/series/${tile.click ?? tile.id}`, names);
  const total = values.reduce((sum, value) => sum + value, 0);
  const all = base(look);
  return {
    ...all, tooltip: { ...(all.tooltip as object), trigger: 'item', ...tip(tile) },
    title: {
      text: show(total, tile.format, tile.currency, true), subtext: tile.measure || '', left: 'center', top: '31%', itemGap: 5,
      textStyle: { color: look.ink, fontSize: 18, fontWeight: 'bold' }, subtextStyle: { color: look.muted, fontSize: small },
    },
    legend: {
      ...legend(look), top: 'auto', right: 'auto', bottom: 0, left: 'center',
      formatter: (name: string) => `${name}  ${total ? ((100 * (values[names.indexOf(name)] ?? 0)) / total).toFixed(1) : 0} %`,
    },
    series: [{
      id: 'shares', type: 'pie', name: tile.measure || tile.title, radius: ['50%', '71%'], center: ['50%', '41%'], label: { show: false }, emphasis: { scale: true, scaleSize: 4 },
      itemStyle: { borderColor: look.card, borderWidth: 2, borderRadius: 4 },
      data: names.map((name, at) => ({ name, value: values[at], itemStyle: { color: look.palette[(index.get(name) ?? 0) % look.palette.length], opacity: isChosen(chosen, name) ? 1 : 0.22 } })),
    }],
  };
}
