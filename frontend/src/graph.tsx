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
const ranks: Record<string, number> = { source: 0, stream: 1, streaming_view: 2, derived_view: 3, procedure: 4, table: 5, dashboard: 6 };
const height = 104;
const gapY = 20;

interface Placed { node: Node; layer: number; order: number }

// Longest path from the start gives the layer; neighbours' mean place gives the order within it.
export function layers(nodes: Node[], edges: Edge[]): Placed[][] {
  const known = new Map(nodes.map((node) => [node.id, node]));
  const valid = edges.filter((edge) => known.has(edge.from) && known.has(edge.to) && edge.from !== edge.to);
  const depth = new Map<string, number>(nodes.map((node) => [node.id, 0]));
  for (let round = 0; round < nodes.length; round += 1) {
    let moved = false;
    for (const { from, to } of valid) {
      if (depth.get(to)! < depth.get(from)! + 1 && depth.get(from)! < nodes.length) { depth.set(to, depth.get(from)! + 1); moved = true; }
    }
    if (!moved) break;
  }
  const joined = new Set(valid.flatMap((edge) => [edge.from, edge.to]));
  const deepest = Math.max(0, ...[...joined].map((id) => depth.get(id)!));
  for (const node of nodes) if (!joined.has(node.id)) depth.set(node.id, Math.min(deepest, ranks[node.kind] ?? 0));
  const used = [...new Set(depth.values())].sort((one, two) => one - two);
  const columns: Placed[][] = used.map((layer, index) => nodes.filter((node) => depth.get(node.id) === layer).map((node, order) => ({ node, layer: index, order })));
  for (let round = 0; round < 6; round += 1) {
    const place = new Map(columns.flat().map((item) => [item.node.id, item]));
    const centre = (id: string) => { const item = place.get(id)!; return (item.order + 0.5) / columns[item.layer]!.length; };
    for (const column of round % 2 === 0 ? columns : [...columns].reverse()) {
      const wish = new Map(column.map((item) => {
        const near = valid.flatMap((edge) => (edge.to === item.node.id && round % 2 === 0 ? [edge.from] : edge.from === item.node.id && round % 2 === 1 ? [edge.to] : []));
        return [item, near.length ? near.reduce((sum, id) => sum + centre(id), 0) / near.length : centre(item.node.id)];
      }));
      column.sort((one, two) => wish.get(one)! - wish.get(two)!).forEach((item, order) => { item.order = order; });
    }
  }
  return columns;
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
  const columns = useMemo(() => layers(nodes, edges), [shape]);
  const latest = new Map(nodes.map((node) => [node.id, node]));
  const gapX = room < 1150 ? 26 : 40;
  const width = Math.max(138, Math.min(210, (room - gapX * (columns.length - 1)) / Math.max(1, columns.length)));
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const full = { width: columns.length * width + (columns.length - 1) * gapX, height: tallest * height + (tallest - 1) * gapY };
  const spots = new Map(columns.flatMap((column, layer) => column.map((item, order) => [item.node.id, {
    x: layer * (width + gapX), y: (full.height - column.length * height - (column.length - 1) * gapY) / 2 + order * (height + gapY),
  }] as const)));
  const around = new Set(picked ? edges.flatMap((edge) => (edge.from === picked ? [edge.to] : edge.to === picked ? [edge.from] : [])) : []);
  return (
    <div class="graph" ref={box}>
      <div class="graph-area" style={{ width: full.width, height: full.height }}>
        <svg width={full.width} height={full.height} aria-hidden="true">
          {edges.map((edge) => {
            const [from, to] = [spots.get(edge.from), spots.get(edge.to)];
            if (!from || !to) return null;
            const [x1, y1, x2, y2] = [from.x + width, from.y + height / 2, to.x, to.y + height / 2];
            const bend = Math.max(18, (x2 - x1) / 2);
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
