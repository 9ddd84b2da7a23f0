// Numbers, times and ages as people read them.
import type { Cell, Format } from './api';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

export function bytes(value: number): string {
  let power = 0;
  while (Math.abs(value) >= 1000 && power < units.length - 1) { value /= 1000; power += 1; }
  return `${power === 0 || Math.abs(value) >= 100 ? whole.format(value) : value.toFixed(1)} ${units[power]}`;
}

export function milliseconds(value: number): string {
  if (value === 0) return '0 ms';
  if (value < 1) return `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} s`;
  if (value < 3_600_000) return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1000)} s`;
  if (value < 86_400_000) return `${Math.floor(value / 3_600_000)} h ${Math.round((value % 3_600_000) / 60_000)} min`;
  return `${Math.floor(value / 86_400_000)} d ${Math.round((value % 86_400_000) / 3_600_000)} h`;
}

function money(value: number, currency: string, short: boolean): string {
  const options: Intl.NumberFormatOptions = short && Math.abs(value) >= 10_000
    ? { notation: 'compact', maximumFractionDigits: 2 } : { minimumFractionDigits: Math.abs(value) >= 1000 ? 0 : 2, maximumFractionDigits: Math.abs(value) >= 1000 ? 0 : 2 };
  return new Intl.NumberFormat('en-US', { style: 'currency', currency, ...options }).format(value);
}

// `short` is for axes and large figures, long for cells.
export function show(value: Cell | undefined, format: Format = 'number', currency = 'USD', short = false): string {
  if (value === null || value === undefined) return '–';
  const number = typeof value === 'number' ? value : Number(value);
  if (typeof value === 'boolean' || value === '' || Number.isNaN(number)) return String(value);
  switch (format) {
    case 'money': return money(number, currency, short);
    case 'percent': return `${number.toFixed(Math.abs(number) >= 100 || Number.isInteger(number) ? 0 : 2)} %`;
    case 'bytes': return bytes(number);
    case 'seconds': return milliseconds(number * 1000);
    case 'milliseconds': return milliseconds(number);
    default: return short && Math.abs(number) >= 1_000_000 ? compact.format(number) : Number.isInteger(number) ? whole.format(number) : exact.format(number);
  }
}

export function axis(value: number, format: Format = 'number', currency = 'USD'): string {
  if (format === 'money') return new Intl.NumberFormat('en-US', { style: 'currency', currency, notation: 'compact', maximumFractionDigits: 1 }).format(value);
  if (format === 'percent') return `${value} %`;
  if (format === 'bytes') return bytes(value);
  if (format === 'milliseconds' || format === 'seconds') return value === 0 ? '0' : milliseconds(format === 'seconds' ? value * 1000 : value);
  return compact.format(value);
}

export const clock = (at: Date) => at.toLocaleTimeString('en-GB');

export function ago(at: number | null | undefined, now: number): string {
  if (at === null || at === undefined) return '–';
  const past = now - at;
  if (past < -2000) return `in ${milliseconds(-past)}`;
  return past < 1000 ? 'just now' : `${milliseconds(Math.floor(past / 1000) * 1000)} ago`;
}

export const label = (value: Cell | undefined) => (value === null || value === undefined ? '(none)' : value === '' ? '(empty)' : String(value));
