// The road of a record as a graph in layers, from left to right.
import { Fragment } from 'preact';
import { memo } from 'preact/compat';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ago, milliseconds, show } from './format';
import { Icon, type IconName } from './icons';

export interface Node {
  id: string; kind: string; schema: string | null; name: string; rows: number | null; lag_ms: number | null; last_refresh: number | null;
  last_status: string | null; error: string | null; refresh_kind: string | null; reason: string | null; status: string; link: string | null;
}
export interface Edge { from: string; to: string }

const kinds: Record<string, [string, IconName]> = {
  source: ['DynamoDB table', 'source'], stream: ['Stream', 'stream'], streaming_view: ['Streaming view', 'eye'], derived_view: ['Derived view', 'eye'],
  procedure: ['Procedure', 'procedure'], table: ['Table', 'table'], dashboard: ['Dashboard', 'board'],
};
export const kindWords = (kind: string) => kinds[kind]?.[0] ?? kind.replace(/_/g, ' ');
const roomy = { height: 104, gap: 20 };
const tight = { height: 97, gap: 9 };
const ranks: Record<string, number> = { source: 0, stream: 1, streaming_view: 2, derived_view: 3, view: 3, procedure: 4, table: 5, dashboard: 6 };

interface Placed { node: Node; layer: number; order: number }

// A load reads the tables that loads keep (its own, their audit): true, but going back, so such edges show only around the node that is picked.
export function forward(nodes: Node[], edges: Edge[]): { edges: Edge[]; back: Edge[] } {
  const kind = new Map(nodes.map((node) => [node.id, node.kind]));
  const kept = new Set(edges.filter((edge) => kind.get(edge.from) === 'procedure').map((edge) => edge.to));
  const onward = new Map<string, string[]>();
  const found: { edges: Edge[]; back: Edge[] } = { edges: [], back: [] };
  const leads = (from: string, to: string, seen = new Set<string>()): boolean => from === to || (onward.get(from) ?? []).some((next) => !seen.has(next) && (seen.add(next), leads(next, to, seen)));
  for (const edge of edges) {
    if (!kind.has(edge.from) || !kind.has(edge.to)) continue;
    if ((kind.get(edge.to) === 'procedure' && kept.has(edge.from)) || leads(edge.to, edge.from)) found.back.push(edge);
    else {
      found.edges.push(edge);
      onward.set(edge.from, [...(onward.get(edge.from) ?? []), edge.to]);
    }
  }
  return found;
}

// The longest path from the start gives the layer, the neighbours' mean place the order within it.
export function layers(nodes: Node[], edges: Edge[]): Placed[][] {
  const depth = new Map<string, number>(nodes.map((node) => [node.id, 0]));
  for (let round = 0; round < nodes.length; round += 1) {
    let moved = false;
    for (const { from, to } of edges) if (depth.get(to)! < depth.get(from)! + 1) { depth.set(to, depth.get(from)! + 1); moved = true; }
    if (!moved) break;
  }
  const deepest = Math.max(0, ...depth.values());
  for (const node of nodes) {
    // What nothing feeds stands just before what it feeds, or by its kind when it stands alone.
    if (edges.some((edge) => edge.to === node.id)) continue;
    const next = edges.filter((edge) => edge.from === node.id).map((edge) => depth.get(edge.to)!);
    if (next.length) depth.set(node.id, Math.min(...next) - 1);
    else depth.set(node.id, node.kind === 'dashboard' ? deepest : Math.min(deepest, ranks[node.kind] ?? 0));
  }
  // All dashboards end the road.
  for (const node of nodes) if (node.kind === 'dashboard') depth.set(node.id, deepest);
  const used = [...new Set(depth.values())].sort((one, two) => one - two);
  const columns: Placed[][] = used.map((layer, index) => nodes.filter((node) => depth.get(node.id) === layer).map((node, order) => ({ node, layer: index, order })));
  for (let round = 0; round < 8; round += 1) {
    const place = new Map(columns.flat().map((item) => [item.node.id, item]));
    const centre = (id: string) => { const item = place.get(id)!; return (item.order + 0.5) / columns[item.layer]!.length; };
    for (const column of round % 2 === 0 ? columns : [...columns].reverse()) {
      const wish = new Map(column.map((item) => {
        const near = edges.flatMap((edge) => (edge.to === item.node.id && round % 2 === 0 ? [edge.from] : edge.from === item.node.id && round % 2 === 1 ? [edge.to] : []));
        return [item, near.length ? near.reduce((sum, id) => sum + centre(id), 0) / near.length : centre(item.node.id)];
      }));
      column.sort((one, two) => wish.get(one)! - wish.get(two)!).forEach((item, order) => { item.order = order; });
    }
  }
  return columns;
}

// Tables and views that nothing on the road touches are left out of the drawing.
export function onRoad(nodes: Node[], edges: Edge[]): Node[] {
  const joined = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
  return nodes.filter((node) => joined.has(node.id) || (node.kind !== 'table' && node.kind !== 'view'));
}

export const Graph = memo(function Graph({ nodes, edges, now, picked, onPick }: {
  nodes: Node[]; edges: Edge[]; now: number; picked: string | null; onPick: (id: string | null) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(1100);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setRoom(entry!.contentRect.width));
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  const shape = JSON.stringify([nodes.map((node) => node.id), edges]);
  const { columns, road, back } = useMemo(() => {
    const shown = onRoad(nodes, edges);
    const directed = forward(shown, edges);
    return { columns: layers(shown, directed.edges), road: directed.edges, back: directed.back };
  }, [shape]);
  const latest = new Map(nodes.map((node) => [node.id, node]));
  const gapX = room < 1150 ? 26 : 40;
  const width = Math.max(138, Math.min(210, (room - gapX * (columns.length - 1)) / Math.max(1, columns.length)));
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const { height, gap: gapY } = tallest > 4 ? tight : roomy;
  const full = { width: columns.length * width + (columns.length - 1) * gapX, height: tallest * height + (tallest - 1) * gapY };
  const spots = new Map(columns.flatMap((column, layer) => column.map((item, order) => [item.node.id, {
    x: layer * (width + gapX), y: (full.height - column.length * height - (column.length - 1) * gapY) / 2 + order * (height + gapY),
  }] as const)));
  const around = new Set(picked ? edges.flatMap((edge) => (edge.from === picked ? [edge.to] : edge.to === picked ? [edge.from] : [])) : []);
  return (
    <div class="graph" ref={box}>
      <div class={`graph-area ${tallest > 4 ? 'tight' : ''}`} style={{ width: full.width, height: full.height }}>
        <svg width={full.width} height={full.height} aria-hidden="true">
          {[...road, ...back.filter((edge) => edge.from === picked || edge.to === picked)].map((edge) => {
            const [from, to] = [spots.get(edge.from), spots.get(edge.to)];
            if (!from || !to) return null;
            const [x1, y1, x2, y2] = [from.x + width, from.y + height / 2, to.x, to.y + height / 2];
            const bend = x2 > x1 ? Math.max(18, (x2 - x1) / 2) : 60;
            const tone = latest.get(edge.to)?.status ?? '';
            return (
              <g key={`${edge.from}>${edge.to}`} class={`edge ${tone} ${picked && (edge.from === picked || edge.to === picked) ? 'on' : ''}`}>
                <path d={`M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2 - 5},${y2}`} />
                <path class="tip" d={`M${x2 - 7},${y2 - 4} L${x2 - 1},${y2} L${x2 - 7},${y2 + 4} Z`} />
              </g>
            );
          })}
        </svg>
        {columns.flat().map(({ node: { id } }) => {
          const node = latest.get(id)!;
          const spot = spots.get(id)!;
          return (
            <button key={id} class={`node ${node.status} ${picked === id ? 'picked' : ''} ${picked && picked !== id && !around.has(id) ? 'far' : ''}`} data-node={id} data-kind={node.kind}
              style={{ left: spot.x, top: spot.y, width, height }} aria-pressed={picked === id} title={node.error ?? node.name} onClick={() => onPick(picked === id ? null : id)}>
              <span class="node-kind"><Icon name={kinds[node.kind]?.[1] ?? 'table'} size={13} />{kindWords(node.kind)}<i class="dot" /></span>
              <span class="node-name">{node.name.split(/(?<=[_-])/).map((piece, index) => <Fragment key={index}>{piece}<wbr /></Fragment>)}</span>
              <span class="node-facts">
                {node.rows !== null ? <span><b>{show(node.rows, 'number', 'USD', true)}</b> {node.kind === 'source' ? 'items' : node.kind === 'stream' ? 'records' : 'rows'}</span> : <span />}
                {node.refresh_kind && <span class="lag">{/incremental/i.test(node.refresh_kind) ? 'delta' : 'in full'}</span>}
              </span>
              {node.error ? <span class="node-last bad">{node.error}</span> : (
                <span class="node-last">
                  <span>{node.last_refresh !== null ? ago(node.last_refresh, now) : node.kind === 'dashboard' ? 'live' : node.status === 'waiting' ? 'not refreshed yet' : ''}</span>
                  {node.lag_ms !== null && <span class="lag" title="Lag">{milliseconds(node.lag_ms)}</span>}
                </span>
              )}
            </button>
          );
        })}
      </div>
    </div>
  );
});
