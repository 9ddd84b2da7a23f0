// A pivot table that its reader rearranges by dragging, by keyboard or by menu; the grouping itself is done by the warehouse.
import { memo } from 'preact/compat';
import { useMemo, useState } from 'preact/hooks';
import type { BoardSpec, Cell, Layout, MeasureSpec } from './api';
import { label, show } from './format';

interface Part { keys: (string | null)[][]; values: Cell[]; is_cut: boolean }
export interface PivotValue { layout: Layout; total: Part; rows?: Part; columns?: Part; cells?: Part }
type Place = 'rows' | 'columns' | 'shelf';

const rowsMax = 500;
const columnsMax = 80;
const aggregates: [string, string][] = [['sum', 'Sum'], ['avg', 'Average'], ['min', 'Minimum'], ['max', 'Maximum'], ['count', 'Count'], ['count_distinct', 'Distinct count']];
const separator = '\u0001';

export function Pivot({ board, value, heat, layout, onLayout }: {
  board: BoardSpec; value: PivotValue; heat: boolean; layout: Layout; onLayout: (layout: Layout) => void;
}) {
  const [over, setOver] = useState<Place | null>(null);
  const [picked, setPicked] = useState<string | null>(null);
  const measure = board.measures.find((item) => item.name === layout.measure);
  const shelf = board.dimensions.map((item) => item.name).filter((name) => !layout.rows.includes(name) && !layout.columns.includes(name));
  const places: Record<Place, string[]> = { rows: layout.rows, columns: layout.columns, shelf };
  const title = (name: string) => board.dimensions.find((item) => item.name === name)?.title ?? name;

  const move = (name: string, place: Place, before: string | null = null) => {
    const without = (names: string[]) => names.filter((item) => item !== name);
    const into = (names: string[], own: Place) => {
      const rest = without(names);
      if (own !== place) return rest;
      const at = before === null ? rest.length : rest.indexOf(before);
      return [...rest.slice(0, at < 0 ? rest.length : at), name, ...rest.slice(at < 0 ? rest.length : at)].slice(0, 4);
    };
    setPicked(null);
    onLayout({ ...layout, rows: into(layout.rows, 'rows'), columns: into(layout.columns, 'columns') });
  };

  const well = (place: Place, words: string) => (
    <div class={`well ${place} ${over === place ? 'over' : ''}`} data-well={place}
      onDragOver={(event) => { event.preventDefault(); setOver(place); }} onDragLeave={() => setOver(null)}
      onDrop={(event) => { event.preventDefault(); setOver(null); const name = event.dataTransfer?.getData('text/plain'); if (name && board.dimensions.some((item) => item.name === name)) move(name, place); }}>
      <span class="well-name">{words}</span>
      {places[place].map((name) => (
        <span key={name} class="chip-box">
          <button class={`chip ${place === 'shelf' ? 'idle' : ''}`} draggable data-dimension={name} aria-haspopup="menu" aria-expanded={picked === name}
            title="Drag it, or press to move it" onClick={() => setPicked(picked === name ? null : name)}
            onDragStart={(event) => { event.dataTransfer?.setData('text/plain', name); setPicked(null); }}
            onDrop={(event) => { const other = event.dataTransfer?.getData('text/plain'); if (other && other !== name && board.dimensions.some((item) => item.name === other)) { event.preventDefault(); event.stopPropagation(); setOver(null); move(other, place, name); } }}
            onKeyDown={(event) => { if (event.key === 'Escape') setPicked(null); if (event.key === 'Delete') move(name, 'shelf'); }}>
            {title(name)}
          </button>
          {picked === name && (
            <span class="menu" role="menu" onKeyDown={(event) => { if (event.key === 'Escape') setPicked(null); }}>
              {(['rows', 'columns', 'shelf'] as Place[]).filter((item) => item !== place).map((item) => (
                <button key={item} role="menuitem" onClick={() => move(name, item)}>{item === 'shelf' ? 'Take out' : `Move to ${item}`}</button>
              ))}
            </span>
          )}
        </span>
      ))}
      {places[place].length === 0 && <span class="hint">{place === 'shelf' ? 'all in use' : 'drag a dimension here'}</span>}
    </div>
  );

  return (
    <div class="pivot">
      <div class="wells">
        {well('rows', 'Rows')}{well('columns', 'Columns')}
        <div class="well measure">
          <span class="well-name">Values</span>
          <select aria-label="Measure" value={layout.measure} onChange={(event) => onLayout({ ...layout, measure: event.currentTarget.value, aggregate: null })}>
            {board.measures.map((item) => <option key={item.name} value={item.name}>{item.title}</option>)}
          </select>
          {measure?.has_column && (
            <select aria-label="Aggregation" value={layout.aggregate ?? measure.aggregate ?? 'sum'} onChange={(event) => onLayout({ ...layout, aggregate: event.currentTarget.value })}>
              {aggregates.map(([name, words]) => <option key={name} value={name}>{words}</option>)}
            </select>
          )}
        </div>
        {well('shelf', 'Unused')}
      </div>
      <PivotTable value={value} title={title} measure={measure} heat={heat} />
    </div>
  );
}

interface Head { key: string; labels: string[]; total: Cell }

function heads(part: Part | undefined, most: number): Head[] {
  if (!part) return [];
  return part.values.slice(0, most).map((total, index) => ({
    key: part.keys.map((column) => String(column[index])).join(separator), labels: part.keys.map((column) => label(column[index])), total,
  }));
}

// How far the value of `depth` reaches from `index` on, or 0 inside of it.
function reach(items: Head[], index: number, depth: number): number {
  const same = (one: number, two: number) => items[one]!.labels.slice(0, depth + 1).join(separator) === items[two]!.labels.slice(0, depth + 1).join(separator);
  if (index > 0 && same(index - 1, index)) return 0;
  let end = index + 1;
  while (end < items.length && same(index, end)) end += 1;
  return end - index;
}

const PivotTable = memo(function PivotTable({ value, title, measure, heat }: { value: PivotValue; title: (name: string) => string; measure?: MeasureSpec; heat: boolean }) {
  const { layout } = value;
  const [own, setSort] = useState<{ key: string; down: boolean } | null | undefined>(undefined);
  // Largest first, unless the rows are in an order of their own: times, or groups within groups.
  const isOrdered = layout.rows.length !== 1 || value.rows?.keys[0]?.every((key) => key === null || /^\d{4}-\d\d/.test(key));
  const sort = own === undefined ? (isOrdered ? null : { key: '', down: true }) : own;
  const cells = useMemo(() => {
    const found = new Map<string, Cell>();
    value.cells?.values.forEach((cell, index) => found.set(value.cells!.keys.map((column) => String(column[index])).join(separator), cell));
    return found;
  }, [value]);
  const format = layout.aggregate === 'count' || layout.aggregate === 'count_distinct' ? 'number' : measure?.format;
  const text = (cell: Cell | undefined) => (cell === undefined || cell === null ? '' : show(cell, format, measure?.currency));
  const columns = heads(value.columns, columnsMax);
  const at = (row: Head, column: string) => (column === '' ? row.total : cells.get(row.key + separator + column));
  let rows = heads(value.rows, rowsMax);
  if (sort) rows = [...rows].sort((one, two) => (Number(at(two, sort.key) ?? -Infinity) - Number(at(one, sort.key) ?? -Infinity)) * (sort.down ? 1 : -1));
  const numbers = [...cells.values()].filter((cell): cell is number => typeof cell === 'number');
  const totals = value.cells ? numbers : rows.map((row) => row.total).filter((cell): cell is number => typeof cell === 'number');
  const [low, high] = [Math.min(0, ...totals), Math.max(0, ...totals)];
  const warmth = (cell: Cell | undefined) => (heat && typeof cell === 'number' && high > low ? `--heat:${Math.round((100 * (cell - low)) / (high - low))}%` : undefined);
  const sorted = (key: string) => (sort?.key === key ? (sort.down ? 'descending' : 'ascending') : 'none') as 'none' | 'ascending' | 'descending';
  const flip = (key: string) => setSort(sort?.key !== key ? { key, down: true } : sort.down ? { key, down: false } : null);
  const corner = Math.max(1, layout.rows.length);
  const depth = Math.max(1, layout.columns.length);
  const isCut = (value.rows?.values.length ?? 0) > rowsMax || (value.columns?.values.length ?? 0) > columnsMax || value.cells?.is_cut;
  return (
    <div class="scroll" tabIndex={0}>
      <table class="grid-table pivot-table">
        <thead>
          {Array.from({ length: depth }, (_, level) => (
            <tr key={level}>
              {level === depth - 1
                ? (layout.rows.length ? layout.rows : ['']).map((name) => <th key={name} scope="col">{name && title(name)}</th>)
                : level === 0 ? <th colSpan={corner} rowSpan={depth - 1} /> : null}
              {columns.map((column, index) => {
                const span = reach(columns, index, level);
                const isLast = level === depth - 1;
                return span === 0 ? null : (
                  <th key={column.key} scope="col" colSpan={span} class={isLast ? 'number sortable' : 'group'} aria-sort={isLast ? sorted(column.key) : undefined}>
                    {isLast ? <button onClick={() => flip(column.key)}>{column.labels[level]}</button> : column.labels[level]}
                  </th>
                );
              })}
              {level === 0 && <th rowSpan={depth} scope="col" class="number total sortable" aria-sort={sorted('')}><button onClick={() => flip('')}>{columns.length ? 'Total' : measure?.title}</button></th>}
            </tr>
          ))}
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={row.key}>
              {row.labels.map((name, level) => {
                const isLast = level === row.labels.length - 1;
                const span = sort || isLast ? 1 : reach(rows, index, level);
                return span === 0 ? null : <th key={level} scope="row" rowSpan={span}>{name}</th>;
              })}
              {columns.map((column) => { const cell = at(row, column.key); return <td key={column.key} class="number heat" style={warmth(cell)}>{text(cell)}</td>; })}
              <td class={`number total ${columns.length ? '' : 'heat'}`} style={columns.length ? undefined : warmth(row.total)}>{text(row.total)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colSpan={corner}>Total</th>
            {columns.map((column) => <td key={column.key} class="number">{text(column.total)}</td>)}
            <td class="number total">{text(value.total.values[0])}</td>
          </tr>
        </tfoot>
      </table>
      {isCut && <p class="hint cut">Only the first {rowsMax} rows and {columnsMax} columns are shown.</p>}
    </div>
  );
});
