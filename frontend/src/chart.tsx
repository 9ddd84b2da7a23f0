// ECharts behind one component; loaded when the first chart is drawn.
import { useEffect, useRef } from 'preact/hooks';
import type { EChartsCoreOption, ECharts } from 'echarts/core';
import { useTheme } from './theme';

const loading = () => import('./echarts');
let engine: Awaited<ReturnType<typeof loading>> | null = null;

export interface Look { ink: string; muted: string; line: string; card: string; accent: string; bad: string; warn: string; good: string; font: string; palette: string[] }

export function look(): Look {
  const css = getComputedStyle(document.documentElement);
  const value = (name: string) => css.getPropertyValue(name).trim();
  return {
    ink: value('--ink'), muted: value('--muted'), line: value('--line'), card: value('--card'), accent: value('--accent'), bad: value('--bad'),
    warn: value('--warn'), good: value('--good'), font: getComputedStyle(document.body).fontFamily, palette: [1, 2, 3, 4, 5, 6, 7, 8].map((index) => value(`--series-${index}`)),
  };
}

export interface Clicked { name: string; seriesName?: string }

export function Chart({ option, label, onClick }: { option: (look: Look) => EChartsCoreOption; label: string; onClick?: (clicked: Clicked) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const latest = useRef({ option, onClick });
  latest.current = { option, onClick };
  const theme = useTheme();

  useEffect(() => {
    const element = box.current!;
    let gone = false;
    const observer = new ResizeObserver(() => { if (element.clientWidth > 0) chart.current?.resize(); });
    const draw = (loaded: NonNullable<typeof engine>) => {
      if (gone) return;
      const made = loaded.init(element, null, { renderer: 'canvas' });
      chart.current = made;
      made.setOption(latest.current.option(look()));
      made.on('click', (event) => latest.current.onClick?.({ name: event.name, seriesName: event.seriesName }));
      observer.observe(element);
    };
    if (engine) draw(engine);
    else void loading().then((loaded) => { engine = loaded; draw(loaded); });
    return () => { gone = true; observer.disconnect(); chart.current?.dispose(); chart.current = null; };
  }, []);

  useEffect(() => { chart.current?.setOption(option(look()), { replaceMerge: ['series'] }); }, [option, theme]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}
