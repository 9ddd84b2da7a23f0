// Tiles that are not charts: the frame, figures with a trend, tables, errors in place.
import type { ComponentChildren } from 'preact';
import { memo } from 'preact/compat';
import { useMemo, useRef, useState } from 'preact/hooks';
import { type ApiError, type Cell, type Column, type Format, type Grid, type TileSpec } from './api';
import { show } from './format';
import { Icon } from './icons';

export function ErrorBox({ error, title }: { error: ApiError; title?: string }) {
  return (
    <div class="error-box" role="alert">
      <Icon name="alert" size={18} />
      <div>
        {title && <b>{title}</b>}
        <p class="error-text">{error.message}</p>
        {error.detail && <p>{error.detail}</p>}
        {error.hint && <p class="muted">{error.hint}</p>}
        <code class="state">{error.sqlstate}</code>
      </div>
    </div>
  );
}

export function Card({ title, class: kind = '', style, actions, children, id }: {
  title?: ComponentChildren; class?: string; style?: string; actions?: ComponentChildren; children: ComponentChildren; id?: string;
}) {
  const [grown, setGrown] = useState(false);
  return (
    <section class={`card ${kind} ${grown ? 'grown' : ''}`} style={style} data-tile={id}
      onKeyDown={(event) => { if (event.key === 'Escape' && grown) setGrown(false); }}>
      {title !== undefined && (
        <header class="card-head">
          <h2>{title}</h2>
          <span class="card-actions">
            {actions}
            <button class="ghost" title={grown ? 'Back to its place (Esc)' : 'Enlarge'} aria-label={grown ? 'Back to its place' : 'Enlarge'} onClick={() => setGrown(!grown)}>
              <Icon name={grown ? 'close' : 'grow'} size={14} />
            </button>
          </span>
        </header>
      )}
      <div class="card-body">{children}</div>
    </section>
  );
}

export function Spark({ values, tone }: { values: (number | null)[]; tone: string }) {
  const known = values.map((value) => Number(value ?? 0));
  if (known.length < 2) return <svg class="spark" aria-hidden="true" />;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  // Noise of a few per cent must not look like a mountain range.
  const span = Math.max(high - low, Math.abs(high) * 0.25) || 1;
  const floor = (low + high - span) / 2;
  const points = known.map((value, index) => `${((index / (known.length - 1)) * 100).toFixed(2)},${(26 - ((value - floor) / span) * 23).toFixed(2)}`).join(' ');
  return (
    <svg class={`spark ${tone}`} viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">
      <polygon points={`0,28 ${points} 100,28`} /><polyline points={points} />
    </svg>
  );
}

interface KpiValue { value: Cell; previous: Cell; note: string | null; trend: [Cell[], (number | null)[]] | null }

export const Kpi = memo(function Kpi({ tile, value }: { tile: TileSpec; value: KpiValue }) {
  const number = typeof value.value === 'number' ? value.value : null;
  const before = typeof value.previous === 'number' ? value.previous : null;
  const change = number !== null && before ? ((number - before) / Math.abs(before)) * 100 : null;
  const isBad = number !== null
    && ((tile.warn_above !== null && tile.warn_above !== undefined && number > tile.warn_above)
      || (tile.warn_below !== null && tile.warn_below !== undefined && number < tile.warn_below));
  const tone = change === null || tile.better === 'neutral' || Math.abs(change) < 0.05 ? '' : (change > 0) === (tile.better === 'up') ? 'good' : 'bad';
  return (
    <div class={`kpi ${isBad ? 'is-bad' : ''}`}>
      <div class="kpi-line">
        <span class="kpi-value">{show(value.value, tile.format, tile.currency, true)}</span>
        {change !== null && <span class={`delta ${tone}`}>{change >= 0 ? '▲' : '▼'} {Math.abs(change) >= 1000 ? '>999' : Math.abs(change).toFixed(1)} %</span>}
      </div>
      <div class="kpi-note">{value.note ?? tile.note ?? (tile.window ? `last ${tile.window}${before !== null ? `, before ${show(before, tile.format, tile.currency, true)}` : ''}` : ' ')}</div>
      {value.trend && <Spark values={value.trend[1] ?? []} tone={isBad ? 'bad' : ''} />}
    </div>
  );
});

const goodWords = /^(complete|completed|succeeded|success|ok|refresh success.*|refresh completed.*|read|mv was already updated|finished|active)$/i;
const badWords = /(fail|error|abort)/i;
const waitWords = /^(running|ready|started|waiting|queued)$/i;

export function StatusWord({ value }: { value: string }) {
  const tone = badWords.test(value) ? 'bad' : goodWords.test(value) ? 'good' : waitWords.test(value) ? 'wait' : '';
  return tone ? <span class={`status ${tone}`} title={value}>{/^refresh success|^refresh completed/i.test(value) ? (/scratch|recomput/i.test(value) ? 'Recomputed' : 'Complete') : value}</span> : <>{value}</>;
}

const isStatus = (name: string) => /status$/i.test(name);
const isMoment = (column: Column) => column.is_time;
const heading = (name: string) => name.replace(/_/g, ' ');

export const GridTable = memo(function GridTable({ grid, formats = {}, fresh = false, empty = 'No rows', onRow }: {
  grid: Grid; formats?: Record<string, Format>; fresh?: boolean; empty?: string; onRow?: (index: number) => void;
}) {
  const seen = useRef<Set<string> | null>(null);
  const keys = useMemo(() => Array.from({ length: grid.row_count }, (_, row) => grid.values.map((column) => String(column[row])).join('\u0001')), [grid]);
  const before = seen.current;
  if (fresh) seen.current = new Set(keys);
  if (grid.row_count === 0) return <div class="empty">{empty}</div>;
  return (
    <div class="scroll" tabIndex={0}>
      <table class="grid-table">
        <thead><tr>{grid.columns.map((column) => <th key={column.name} scope="col" class={column.is_number ? 'number' : ''} title={column.type}>{heading(column.name)}</th>)}</tr></thead>
        <tbody>
          {keys.map((key, row) => (
            <tr key={fresh ? key : row} class={fresh && before && !before.has(key) ? 'new-row' : ''} onClick={onRow && (() => onRow(row))}>
              {grid.columns.map((column, index) => {
                const value = grid.values[index]![row];
                const shown = value === null || value === undefined ? <i class="null">NULL</i>
                  : formats[column.name] ? show(value, formats[column.name])
                  : isStatus(column.name) ? <StatusWord value={String(value)} />
                  : column.is_number ? show(value)
                  : isMoment(column) ? String(value).replace(/(\.\d{3})\d+/, '$1') : String(value);
                return <td key={column.name} class={column.is_number ? 'number' : isMoment(column) ? 'moment' : ''} title={typeof value === 'string' && value.length > 24 ? value.slice(0, 2000) : undefined}>{shown}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
});
