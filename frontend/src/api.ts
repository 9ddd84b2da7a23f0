// What the server says, and asking it.
export type Cell = string | number | boolean | null;

export interface ApiError {
  message: string; sqlstate: string; detail: string | null; hint: string | null; context: string | null;
  position: number | null; end: number | null; line: number | null; column: number | null; file: string | null; key: string | null;
}
export interface Column { name: string; type: string; is_number: boolean; is_time: boolean; is_super: boolean }
export interface Grid { columns: Column[]; values: Cell[][]; row_count: number; is_cut: boolean; times?: Record<string, (number | null)[]> }
export type Failed = { error: ApiError };
export type Format = 'number' | 'money' | 'percent' | 'bytes' | 'seconds' | 'milliseconds';

export interface NavigationItem { name: string; title: string; is_broken: boolean }
export interface FilterSpec { dimension: string; kind: 'choice' | 'time'; default: string | null; title: string }
export interface MeasureSpec { name: string; title: string; format: Format; currency: string; aggregate: string | null; has_column: boolean }
export interface TileSpec {
  id: string; type: 'kpi' | 'line' | 'area' | 'bar' | 'donut' | 'table' | 'pivot'; title: string; width: number; height: number;
  format?: Format; currency?: string; note?: string | null; better?: 'up' | 'down' | 'neutral'; warn_above?: number | null;
  warn_below?: number | null; window?: string | null; x?: string; y?: string; by?: string | null; click?: string | null;
  click_by?: string | null; mark?: number | null; stacked?: boolean; measure?: string; heat?: boolean; formats?: Record<string, Format>;
}
export interface BoardSpec {
  name: string; title: string; description: string | null; filters: FilterSpec[]; dimensions: { name: string; title: string }[];
  measures: MeasureSpec[]; tiles: TileSpec[];
}
export interface Layout { rows: string[]; columns: string[]; measure: string; aggregate: string | null }
export interface Choices { filters: Record<string, (string | null)[]>; pivots: Record<string, Layout> }

export interface QueryResult { command: string; tag: string; row_count: number | null; grid: Grid | null; ms: number }
export interface Notice { severity: string; message: string; sqlstate: string; hint: string | null }
export interface QueryAnswer { results: QueryResult[]; error: ApiError | null; notices: Notice[]; ms: number }
export interface Relation { name: string; kind: string; columns: { name: string; type: string }[] }
export interface Schema { schemas: { name: string; relations: Relation[] }[] }

export function failed(value: unknown): value is Failed {
  return typeof value === 'object' && value !== null && 'error' in value && (value as Failed).error !== null && !('results' in value);
}

const lost: ApiError = {
  message: 'the console could not be reached', sqlstate: '08006', detail: null, hint: 'See whether nearshift is still running.', context: null,
  position: null, end: null, line: null, column: null, file: null, key: null,
};

async function ask<T>(path: string, init?: RequestInit): Promise<T | Failed> {
  try {
    return await (await fetch(path, init)).json() as T | Failed;
  } catch {
    return { error: lost };
  }
}

export const get = <T>(path: string) => ask<T>(path);
export const post = <T>(path: string, body: unknown) =>
  ask<T>(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
