// The pipeline: the road of a record, the stream's metrics, refreshes, loads, and what was lost or set aside.
import type { EChartsCoreOption } from 'echarts/core';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { failed, type Cell, type Format, type Grid } from './api';
import { Chart, type Look } from './chart';
import { ago, axis, milliseconds, show } from './format';
import { Graph, kindWords, onRoad, type Edge, type Node } from './graph';
import { Icon } from './icons';
import { useLive, useNow } from './live';
import { base, colourIndex, legend, mark, timeAxis, valueAxis } from './options';
import { Frame } from './shell';
import { Card, ErrorBox, GridTable, StatusWord } from './tiles';

interface Metric { stream: string; metric: string; period_seconds: number; points: [number, number][] }

const shown: { metric: string; title: string; format: Format; scale?: number; fill?: boolean; mark?: number; low?: number; high?: number }[] = [
  { metric: 'IncomingRecords', title: 'Incoming records', format: 'number', fill: true },
  { metric: 'IncomingBytes', title: 'Incoming data', format: 'bytes', fill: true },
  { metric: 'PutRecord.Success', title: 'PutRecord success', format: 'percent', scale: 100, high: 100 },
  { metric: 'GetRecords.IteratorAgeMilliseconds', title: 'Iterator age', format: 'milliseconds', fill: true, mark: 1000 },
];

const names = (metric: string) => metric.toLowerCase().replace(/[^a-z]/g, '').replace(/^(getrecords)?iteratorage(milliseconds)?$/, 'iteratorage').replace(/^putrecords?success.*$/, 'putrecordsuccess');

function metricOption(series: Metric[], kind: (typeof shown)[number]): (look: Look) => EChartsCoreOption {
  return (look) => {
    const index = colourIndex('streams', series.map((item) => item.stream));
    const all = base(look);
    const scale = kind.scale ?? 1;
    const least = Math.min(...series.flatMap((item) => item.points.map((point) => point[1] * scale)));
    return {
      ...all, grid: { left: 4, right: 12, top: series.length > 1 ? 28 : 8, bottom: 2, containLabel: true },
      tooltip: { ...(all.tooltip as object), valueFormatter: (value: unknown) => show(value as Cell, kind.format) },
      legend: series.length > 1 ? legend(look, series.map((item) => item.stream)) : { show: false },
      xAxis: timeAxis(look, { splitNumber: 4 }),
      yAxis: valueAxis(look, kind.format, 'USD', kind.high ? { max: kind.high, min: Math.max(0, Math.min(99, Math.floor(least))), splitNumber: 2 } : { splitNumber: 3 }),
      series: series.map((item, order) => {
        const colour = look.palette[(index.get(item.stream) ?? 0) % look.palette.length]!;
        return {
          id: item.stream, name: item.stream, type: 'line', showSymbol: item.points.length < 2, sampling: 'lttb', lineStyle: { width: 1.7 }, itemStyle: { color: colour },
          data: item.points.map(([at, value]) => [at, value * scale]), areaStyle: kind.fill ? { opacity: 0.12 } : undefined,
          markLine: kind.mark !== undefined && order === 0 && item.points.some((point) => point[1] > kind.mark! * 0.6) ? mark(kind.mark, look) : undefined,
        };
      }),
    };
  };
}

function readSeries(rates: unknown): Metric[] {
  if (!rates || failed(rates)) return [];
  const [at, stream, records, bytes] = (rates as Grid).values as [number[], string[], number[], number[]];
  return ([['IncomingRecords', records], ['IncomingBytes', bytes]] as const).flatMap(([metric, values]) => {
    const by = new Map<string, [number, number][]>();
    at?.forEach((moment, index) => { const points = by.get(stream[index]!) ?? []; points.push([moment, values[index]!]); by.set(stream[index]!, points); });
    return [...by].map(([name, points]) => ({ stream: name, metric, period_seconds: 1, points }));
  });
}

// The mean rate of the last ten seconds that were read.
function speed(series: Metric[]): number | null {
  const end = Math.max(...series.flatMap((item) => item.points.map((point) => point[0])));
  const sum = series.reduce((total, item) => total + item.points.filter((point) => point[0] > end - 10_000).reduce((part, point) => part + point[1], 0), 0);
  return series.length ? sum / 10 : null;
}

function Metrics({ metrics, rates }: { metrics: unknown; rates: unknown }) {
  const read = useMemo(() => readSeries(rates), [rates]);
  const all = useMemo(() => {
    const found: Metric[] = Array.isArray(metrics) ? [...(metrics as Metric[])] : [];
    // What the views read says how fast records come as long as the stream's own minutes are too few to draw.
    for (const series of read) if ((found.find((item) => names(item.metric) === names(series.metric))?.points.length ?? 0) < 3) found.push(series);
    return found.filter((item) => !(read.some((other) => other.metric === item.metric && other !== item) && item.points.length < 3));
  }, [metrics, read]);
  if (failed(metrics)) return <Card class="span-12"><ErrorBox error={metrics.error} title="The stream's metrics" /></Card>;
  return (
    <>
      {shown.map((kind) => {
        const series = all.filter((item) => names(item.metric) === names(kind.metric) && item.points.length > 1);
        const last = series.map((item) => item.points.at(-1)![1] * (kind.scale ?? 1));
        const period = series[0]?.period_seconds ?? 1;
        const text = !last.length ? '–' : kind.format === 'percent' ? show(Math.min(...last), 'percent') : kind.metric.startsWith('Get') ? milliseconds(Math.max(...last))
          : `${axis(speed(read.filter((item) => item.metric === kind.metric)) ?? last.reduce((sum, value) => sum + value, 0) / period, kind.format)}/s`;
        return <MetricCard key={kind.metric} kind={kind} series={series} text={text} />;
      })}
    </>
  );
}

function MetricCard({ kind, series, text }: { kind: (typeof shown)[number]; series: Metric[]; text: string }) {
  const option = useMemo(() => metricOption(series, kind), [JSON.stringify(series.map((item) => [item.stream, item.points.at(-1), item.points.length]))]);
  return (
    <Card class="span-3 metric" title={<>{kind.title} <b class="now">{text}</b></>} id={`metric-${kind.metric}`}>
      {series.length ? <Chart option={option} label={kind.title} /> : <div class="empty">{kind.metric === 'PutRecord.Success' ? 'No calls of PutRecord: the table writes into the stream by itself' : 'No values yet'}</div>}
    </Card>
  );
}

function historyOption(grid: Grid): (look: Look) => EChartsCoreOption {
  return (look) => {
    const column = (name: string) => grid.values[grid.columns.findIndex((item) => item.name === name)] ?? [];
    const [views, full, status, durations, starts] = [column('mv_name'), column('is_full'), column('status'), column('duration'), grid.times?.start_time ?? []];
    const index = colourIndex('views', [...new Set(views.map(String))]);
    const all = base(look);
    const known = [...index.keys()].filter((view) => views.includes(view));
    return {
      ...all, legend: legend(look, known), grid: { ...(all.grid as object), top: known.length > 4 ? 50 : 30 }, xAxis: timeAxis(look), yAxis: valueAxis(look, 'milliseconds', 'USD', { type: 'value', min: 0 }),
      tooltip: {
        ...(all.tooltip as object), trigger: 'item',
        formatter: (item: { value: [number, number, string, string, string] }) => [escape(item.value[2]), `${escape(item.value[3])}, ${milliseconds(item.value[1])}`, escape(item.value[4])].join('<br>'),
      },
      series: known.map((view) => ({
        id: view, name: view, type: 'scatter', itemStyle: { color: look.palette[index.get(view)! % look.palette.length] },
        data: views.flatMap((name, row) => (name !== view ? [] : [{
          value: [starts[row], Number(durations[row] ?? 0), view, full[row] === 'true' ? 'in full' : 'by delta', String(status[row])],
          symbol: full[row] === 'true' ? 'diamond' : 'circle', symbolSize: /fail/i.test(String(status[row])) ? 10 : 6,
          itemStyle: { color: /fail/i.test(String(status[row])) ? look.bad : undefined, opacity: 0.75 },
        }])),
      })),
    };
  };
}

const escape = (text: string) => text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`);

function History({ value }: { value: unknown }) {
  const option = useMemo(() => (value && !failed(value) ? historyOption(value as Grid) : null), [value]);
  const summary = useMemo(() => {
    if (!value || failed(value)) return null;
    const grid = value as Grid;
    const column = (name: string) => grid.values[grid.columns.findIndex((item) => item.name === name)] ?? [];
    const times = column('duration').map((item) => Number(item ?? 0)).sort((one, two) => one - two);
    const full = column('is_full').filter((item) => item === 'true').length;
    const bad = column('status').filter((item) => /fail/i.test(String(item))).length;
    return { count: grid.row_count, full, bad, half: times[Math.floor(times.length / 2)], high: times[Math.floor(times.length * 0.99)] };
  }, [value]);
  return (
    <Card class="span-8 tall" title={<>Refreshes of views {summary && summary.count > 0 && <small>{summary.count} · {summary.full} in full (◆) · {summary.bad} failed · p50 {milliseconds(summary.half ?? 0)} · p99 {milliseconds(summary.high ?? 0)}</small>}</>} id="history">
      {value === undefined ? <div class="loading" /> : failed(value) ? <ErrorBox error={value.error} /> : (value as Grid).row_count ? <Chart option={option!} label="Durations of refreshes" /> : <div class="empty">No view was refreshed yet</div>}
    </Card>
  );
}

function Details({ node, edges, nodes, now, onClose, go }: { node: Node; edges: Edge[]; nodes: Node[]; now: number; onClose: () => void; go: (path: string) => void }) {
  const name = (id: string) => nodes.find((item) => item.id === id)?.name ?? id;
  const list = (ids: string[]) => (ids.length ? ids.map(name).join(', ') : '–');
  const facts: [string, preact.ComponentChildren][] = [
    ['Kind', kindWords(node.kind)], ['Schema', node.schema ?? '–'], ['Rows', show(node.rows)],
    ['Lag', node.lag_ms === null ? '–' : milliseconds(node.lag_ms)], ['Last refresh', ago(node.last_refresh, now)],
    ['Status', node.last_status ? <StatusWord value={node.last_status} /> : '–'], ['Refreshed', node.refresh_kind ?? '–'], ['Reason', node.reason ?? '–'],
    ['Reads from', list(edges.filter((edge) => edge.to === node.id).map((edge) => edge.from))], ['Read by', list(edges.filter((edge) => edge.from === node.id).map((edge) => edge.to))],
  ];
  return (
    <aside class="details" aria-label={`Details of ${node.name}`}>
      <header><h3>{node.name}</h3><button class="ghost square" aria-label="Close details" onClick={onClose}><Icon name="close" size={14} /></button></header>
      {node.error && <div class="error-box"><Icon name="alert" size={16} /><p class="error-text">{node.error}</p></div>}
      <dl>{facts.filter(([, value]) => value !== '–').map(([words, value]) => <div key={words}><dt>{words}</dt><dd>{value}</dd></div>)}</dl>
      {node.link && <button onClick={() => go(`/dashboards/${encodeURIComponent(node.link!)}`)}>Open the dashboard</button>}
    </aside>
  );
}

const tabs: [string, string, string][] = [
  ['refreshes', 'Refresh history', 'No view was refreshed yet'], ['schedules', 'Schedules', 'No schedules'], ['runs', 'Schedule runs', 'Nothing has run yet'],
  ['ledger', 'Ledger', 'Nothing was read yet'], ['gaps', 'Gaps', 'No gap: every record that the stream kept was read'], ['quarantine', 'Quarantine', 'Nothing was set aside: every record could be read'],
];

function Lists({ parts }: { parts: Record<string, unknown> }) {
  const [tab, setTab] = useState('refreshes');
  const value = parts[tab];
  const count = (name: string) => { const grid = parts[name]; return grid && !failed(grid) ? (grid as Grid).row_count : null; };
  return (
    <Card class="span-12 tall lists" title={(
      <span class="tabs" role="tablist" onKeyDown={(event) => {
        const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
        const next = tabs[(tabs.findIndex(([name]) => name === tab) + step + tabs.length) % tabs.length]![0];
        if (step) { setTab(next); (event.currentTarget.querySelector(`[data-tab=${next}]`) as HTMLElement | null)?.focus(); }
      }}>
        {tabs.map(([name, words]) => (
          <button key={name} role="tab" data-tab={name} tabIndex={tab === name ? 0 : -1} aria-selected={tab === name} class={tab === name ? 'on' : ''} onClick={() => setTab(name)}>
            {words}{count(name) !== null && <small class={(name === 'quarantine' || name === 'gaps') && count(name) ? 'bad' : ''}>{count(name)}</small>}
          </button>
        ))}
      </span>
    )}>
      {value === undefined ? <div class="loading" /> : failed(value) ? <ErrorBox error={value.error} />
        : <GridTable grid={value as Grid} formats={tab === 'refreshes' ? { duration: 'milliseconds' } : {}} empty={tabs.find(([name]) => name === tab)![2]} />}
    </Card>
  );
}

export function Pipeline({ paused, go }: { paused: boolean; go: (path: string) => void }) {
  const live = useLive('/api/pipeline/live', paused);
  const now = useNow();
  const [picked, setPicked] = useState<string | null>(null);
  useEffect(() => {
    const key = (event: KeyboardEvent) => { if (event.key === 'Escape') setPicked(null); };
    document.addEventListener('keydown', key);
    return () => document.removeEventListener('keydown', key);
  }, []);
  const { graph, error } = live.parts as { graph?: { nodes: Node[]; edges: Edge[] }; error?: Parameters<typeof ErrorBox>[0]['error'] };
  if (error) return <Frame title="Pipeline" live={live}><Card class="broken"><ErrorBox error={error} /></Card></Frame>;
  const node = graph && !failed(graph) ? graph.nodes.find((item) => item.id === picked) : undefined;
  const counts = graph && !failed(graph) ? { failed: graph.nodes.filter((item) => item.status === 'failed').length, late: graph.nodes.filter((item) => item.status === 'late').length } : null;
  const aside = graph && !failed(graph) ? graph.nodes.length - onRoad(graph.nodes, graph.edges).length : 0;
  const audits = Object.entries(live.parts).filter(([name, value]) => name.startsWith('audit:') && value !== null);
  return (
    <Frame title="Pipeline" description="The road of a record, from the table to the dashboard" live={live}>
      <div class="board pipeline">
        <Card class="span-12 road" id="graph" title={<>Road {counts && <small>{counts.failed ? <span class="bad">{counts.failed} failed</span> : 'nothing failed'}{counts.late ? <span class="warn"> · {counts.late} late</span> : ''}{aside ? ` · ${aside} ${aside === 1 ? 'table' : 'tables'} beside the road` : ''}</small>}</>}>
          {graph === undefined ? <div class="loading" /> : failed(graph) ? <ErrorBox error={graph.error} />
            : graph.nodes.length === 0 ? <div class="empty">Nothing here yet: apply a pipeline folder, or create a streaming view</div> : (
              <div class="road-rows">
                <Graph nodes={graph.nodes} edges={graph.edges} now={now} picked={picked} onPick={setPicked} />
                {node && <Details node={node} edges={graph.edges} nodes={graph.nodes} now={now} onClose={() => setPicked(null)} go={go} />}
              </div>
            )}
        </Card>
        <Metrics metrics={live.parts.metrics} rates={live.parts.rates} />
        <History value={live.parts.refreshes} />
        <Card class="span-4 tall" title={<>Audit {audits.map(([name]) => <small key={name}>{name.slice(6)}</small>)}</>} id="audit">
          {audits.length === 0 && <div class="empty">Name a table with audit: in a dashboard</div>}
          {audits.map(([name, value]) => (failed(value) ? <ErrorBox key={name} error={value.error} /> : <Audit key={name} grid={value as Grid} now={now} />))}
        </Card>
        <Lists parts={live.parts} />
      </div>
    </Frame>
  );
}

const spellings = {
  name: ['jobname', 'job_name', 'load_name', 'name'], status: ['status'], start: ['startdate', 'start_date', 'started_at', 'start_time'],
  end: ['enddate', 'end_date', 'finished_at', 'ended_at', 'end_time'], error: ['errmsg', 'error', 'error_message'], rows: ['rows', 'row_count', 'written_count'],
};

function Audit({ grid, now }: { grid: Grid; now: number }) {
  const at = Object.fromEntries(Object.entries(spellings).map(([key, names]) => [key, grid.columns.findIndex((item) => names.includes(item.name.toLowerCase()))])) as Record<keyof typeof spellings, number>;
  if (at.name < 0 || at.status < 0) return <GridTable grid={grid} />;
  const value = (key: keyof typeof spellings, row: number) => (at[key] < 0 ? null : grid.values[at[key]]![row] ?? null);
  const time = (key: keyof typeof spellings, row: number) => (at[key] < 0 ? null : grid.times?.[grid.columns[at[key]]!.name]?.[row] ?? null);
  if (grid.row_count === 0) return <div class="empty">No loads yet</div>;
  return (
    <div class="scroll" tabIndex={0}>
      <ul class="audit">
        {Array.from({ length: grid.row_count }, (_, row) => {
          const [start, end] = [time('start', row), time('end', row)];
          return (
            <li key={row}>
              <div class="audit-line"><b>{String(value('name', row))}</b><StatusWord value={String(value('status', row))} /></div>
              <div class="audit-line muted">
                <span>{String(value('start', row) ?? 'never started').slice(0, 19)}{start !== null && end !== null && end >= start ? ` · took ${milliseconds(end - start)}` : ''}{value('rows', row) !== null ? ` · ${show(value('rows', row))} rows` : ''}</span>
                <span>{start !== null && ago(start, now)}</span>
              </div>
              {value('error', row) && <p class="error-text">{String(value('error', row))}</p>}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
