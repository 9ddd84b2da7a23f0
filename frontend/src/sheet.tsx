// A result of any length: only the rows in sight are in the page.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Cell, Grid } from './api';
import { Icon } from './icons';

const rowHeight = 27;
const spare = 12;

function widths(grid: Grid): number[] {
  return grid.columns.map((column, index) => {
    let longest = Math.max(column.name.length, Math.min(column.type.length * 0.85, 26));
    const values = grid.values[index]!;
    for (let row = 0; row < Math.min(values.length, 200); row += 1) longest = Math.max(longest, Math.min(48, String(values[row] ?? 'NULL').length));
    return Math.round(Math.min(380, Math.max(64, longest * 7.6 + 26)));
  });
}

export function toCsv(grid: Grid): string {
  const field = (value: Cell) => (value === null ? '' : value === '' || /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const lines = [grid.columns.map((column) => field(column.name)).join(',')];
  for (let row = 0; row < grid.row_count; row += 1) lines.push(grid.values.map((column) => field(column[row]!)).join(','));
  return `${lines.join('\r\n')}\r\n`;
}

function pretty(value: Cell, isSuper: boolean): string {
  if (!isSuper || typeof value !== 'string' || value.length > 500_000) return String(value);
  try {
    // Reading and writing would change long numbers, so the text is only indented when it survives unchanged.
    const indented = JSON.stringify(JSON.parse(value), null, 2);
    return JSON.stringify(JSON.parse(indented)).replace(/\s/g, '') === value.replace(/\s/g, '') ? indented : value;
  } catch {
    return value;
  }
}

export function Sheet({ grid }: { grid: Grid }) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const [cell, setCell] = useState<{ row: number; column: number } | null>(null);
  const sizes = useMemo(() => widths(grid), [grid]);
  const numberWidth = String(grid.row_count).length * 8 + 22;
  useEffect(() => {
    const element = box.current!;
    const seen = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(seen);
    observer.observe(element);
    element.addEventListener('scroll', seen, { passive: true });
    return () => { observer.disconnect(); element.removeEventListener('scroll', seen); };
  }, []);
  useEffect(() => { setCell(null); box.current?.scrollTo(0, 0); }, [grid]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - spare);
  const last = Math.min(grid.row_count, Math.ceil((view.top + view.height) / rowHeight) + spare);
  const template = `${numberWidth}px ${sizes.map((size) => `${size}px`).join(' ')}`;
  const total = numberWidth + sizes.reduce((sum, size) => sum + size, 0);
  const move = (event: KeyboardEvent) => {
    const step = ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageDown: [15, 0], PageUp: [-15, 0] } as Record<string, [number, number]>)[event.key];
    if (!step || grid.row_count === 0) return;
    event.preventDefault();
    const at = cell ?? { row: 0, column: 0 };
    const next = { row: Math.min(grid.row_count - 1, Math.max(0, at.row + step[0])), column: Math.min(grid.columns.length - 1, Math.max(0, at.column + step[1])) };
    setCell(next);
    const element = box.current!;
    const top = next.row * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight * 3 > element.scrollTop + element.clientHeight) element.scrollTop = top + rowHeight * 3 - element.clientHeight;
  };
  const value = cell ? grid.values[cell.column]?.[cell.row] : undefined;
  return (
    <div class="sheet">
      <div class="sheet-scroll" ref={box} tabIndex={0} role="grid" aria-label="Result" aria-rowcount={grid.row_count} onKeyDown={move}>
        <div class="sheet-head" role="row" style={{ gridTemplateColumns: template, width: total }}>
          <span class="sheet-number" />
          {grid.columns.map((column, index) => <span key={index} role="columnheader" class={column.is_number ? 'number' : ''}><b>{column.name}</b><small>{column.type}</small></span>)}
        </div>
        <div class="sheet-body" style={{ height: grid.row_count * rowHeight, width: total }}>
          {Array.from({ length: Math.max(0, last - first) }, (_, offset) => first + offset).map((row) => (
            <div key={row} class="sheet-row" role="row" aria-rowindex={row + 1} style={{ gridTemplateColumns: template, top: row * rowHeight, width: total }}>
              <span class="sheet-number">{row + 1}</span>
              {grid.columns.map((column, index) => {
                const shown = grid.values[index]![row];
                return (
                  <span key={index} role="gridcell" class={`${column.is_number ? 'number' : ''} ${cell?.row === row && cell.column === index ? 'at' : ''}`} onClick={() => setCell({ row, column: index })}>
                    {shown === null ? <i class="null">NULL</i> : shown === '' ? <i class="null">empty</i> : String(shown).slice(0, 300)}
                  </span>
                );
              })}
            </div>
          ))}
        </div>
      </div>
      {cell && value !== undefined && value !== null && (String(value).length > 40 || grid.columns[cell.column]!.is_super) && (
        <div class="cell-view">
          <header><b>{grid.columns[cell.column]!.name}</b><small>{grid.columns[cell.column]!.type}, row {cell.row + 1}</small>
            <button class="ghost" onClick={() => void navigator.clipboard?.writeText(String(value))}><Icon name="copy" size={13} /> Copy</button>
            <button class="ghost square" aria-label="Close" onClick={() => setCell(null)}><Icon name="close" size={13} /></button></header>
          <pre tabIndex={0}>{pretty(value, grid.columns[cell.column]!.is_super)}</pre>
        </div>
      )}
    </div>
  );
}
