// A dashboard: filters, tiles in a grid of twelve columns, all pushed by the server.
import { memo } from 'preact/compat';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { failed, type ApiError, type BoardSpec, type Choices, type Grid, type Layout, type TileSpec } from './api';
import { Chart, type Clicked } from './chart';
import { ChoiceFilter, TimeFilter } from './filters';
import { label } from './format';
import { Icon } from './icons';
import { useLive } from './live';
import { tileOption } from './options';
import { Pivot, type PivotValue } from './pivot';
import { Frame } from './shell';
import { Card, ErrorBox, GridTable, Kpi } from './tiles';

const none: Choices = { filters: {}, pivots: {} };

function stored(): Choices {
  try {
    const text = new URLSearchParams(location.search).get('choices');
    return text ? { ...none, ...(JSON.parse(text) as Choices) } : none;
  } catch {
    return none;
  }
}

const address = (choices: Choices) =>
  (Object.keys(choices.filters).length || Object.keys(choices.pivots).length ? `?choices=${encodeURIComponent(JSON.stringify(choices))}` : '');

export function Dashboard({ name, paused }: { name: string; paused: boolean }) {
  const [choices, setChoices] = useState<Choices>(stored);
  const query = address(choices);
  const own = `/api/dashboards/${encodeURIComponent(name)}`;
  const live = useLive(`${own}/live${query}`, paused);
  const spec = live.parts.spec as BoardSpec | undefined;
  const error = live.parts.error as ApiError | null | undefined;

  useEffect(() => { history.replaceState(null, '', location.pathname + query); }, [query]);
  const filter = useCallback((dimension: string, values: (string | null)[]) => {
    setChoices((before) => {
      const filters = { ...before.filters, [dimension]: values };
      if (values.length === 0) delete filters[dimension];
      return { ...before, filters };
    });
  }, []);
  const arrange = useCallback((tile: string, layout: Layout) => setChoices((before) => ({ ...before, pivots: { ...before.pivots, [tile]: layout } })), []);

  if (error) {
    return (
      <Frame title={name} live={live}>
        <Card class="broken"><ErrorBox error={error} title={error.file ? `${error.file}${error.line ? `, line ${error.line}` : ''} cannot be shown` : 'This dashboard cannot be shown'} />
          {Object.keys(choices.filters).length + Object.keys(choices.pivots).length > 0 && <button onClick={() => setChoices(none)}>Clear all choices</button>}
          {error.file && <p class="muted">The page comes back by itself as soon as the file is right.</p>}
        </Card>
      </Frame>
    );
  }
  if (!spec) return <Frame title="" live={live}><div class="loading" /></Frame>;
  const controls = spec.filters.map((item) => (item.kind === 'time'
    ? <TimeFilter key={item.dimension} spec={item} value={choices.filters[item.dimension]?.[0] ?? item.default ?? 'all'} onChange={(value) => filter(item.dimension, [value])} />
    : <ChoiceFilter key={item.dimension} spec={item} offered={live.parts[`filter:${item.dimension}`]} chosen={choices.filters[item.dimension] ?? []} onChange={(values) => filter(item.dimension, values)} />));
  const any = spec.filters.some((item) => choices.filters[item.dimension]?.length && item.kind === 'choice');
  return (
    <Frame title={spec.title} description={spec.description} live={live}
      controls={<>{controls}{any && <button class="ghost" onClick={() => setChoices((before) => ({ ...before, filters: {} }))}><Icon name="close" size={13} /> Clear</button>}</>}>
      <div class="board">
        {spec.tiles.map((tile) => (
          <Tile key={tile.id} board={spec} tile={tile} value={live.parts[`tile:${tile.id}`]} chosen={choices.filters} csv={`${own}/tiles/${encodeURIComponent(tile.id)}.csv${query}`}
            layout={choices.pivots[tile.id]} onFilter={filter} onLayout={arrange} />
        ))}
      </div>
    </Frame>
  );
}

interface TileProps {
  board: BoardSpec; tile: TileSpec; value: unknown; chosen: Record<string, (string | null)[]>; csv: string; layout?: Layout;
  onFilter: (dimension: string, values: (string | null)[]) => void; onLayout: (tile: string, layout: Layout) => void;
}

const Tile = memo(function Tile({ board, tile, value, chosen, csv, layout, onFilter, onLayout }: TileProps) {
  let body = null;
  if (value === undefined) body = <div class="loading" />;
  else if (failed(value)) body = <ErrorBox error={value.error} />;
  else if (tile.type === 'kpi') body = <Kpi tile={tile} value={value as Parameters<typeof Kpi>[0]['value']} />;
  else if (tile.type === 'table') body = <GridTable grid={value as Grid} formats={tile.formats} fresh />;
  else if (tile.type === 'pivot') {
    const pivot = value as PivotValue;
    body = <Pivot board={board} value={pivot} heat={tile.heat ?? true} layout={layout ?? pivot.layout} onLayout={(next) => onLayout(tile.id, next)} />;
  } else body = <ChartTile board={board.name} tile={tile} grid={value as Grid} chosen={chosen} onFilter={onFilter} />;
  const actions = <a class="ghost" href={csv} download={`${tile.id}.csv`} title="Download as CSV" aria-label={`Download ${tile.title} as CSV`}><Icon name="save" size={14} /></a>;
  return (
    <Card title={tile.title} id={tile.id} class={`tile ${tile.type}`} style={`--w:${tile.width};--h:${tile.height}`} actions={actions}>{body}</Card>
  );
}, (one, two) => one.value === two.value && one.tile === two.tile && one.board === two.board && one.layout === two.layout && one.csv === two.csv);

function ChartTile({ board, tile, grid, chosen, onFilter }: {
  board: string; tile: TileSpec; grid: Grid; chosen: Record<string, (string | null)[]>; onFilter: TileProps['onFilter'];
}) {
  const dimension = tile.click_by ?? tile.click;
  const picked = (dimension && chosen[dimension]) || [];
  const option = useMemo(() => tileOption(board, tile, grid, picked), [board, tile, grid, JSON.stringify(picked)]);
  const click = (clicked: Clicked) => {
    if (!dimension) return;
    const text = tile.click_by ? clicked.seriesName : clicked.name;
    const value = text === label(null) ? null : text ?? null;
    onFilter(dimension, picked.includes(value) ? picked.filter((item) => item !== value) : [...picked, value]);
  };
  if (grid.row_count === 0) return <div class="empty">Nothing in this span</div>;
  return <Chart option={option} label={`${tile.title}, ${grid.row_count} values`} onClick={dimension ? click : undefined} />;
}
