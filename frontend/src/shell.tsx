// What all pages share: the heading with the live indicator, and the state that outlives a page.
import { createContext, type ComponentChildren } from 'preact';
import { useContext, useEffect } from 'preact/hooks';
import { failed, type NavigationItem } from './api';
import { clock, milliseconds } from './format';
import { Icon } from './icons';
import { type Live } from './live';

export interface Shell { paused: boolean; setPaused: (paused: boolean) => void; setNavigation: (items: NavigationItem[]) => void }
export const ShellContext = createContext<Shell>({ paused: false, setPaused: () => {}, setNavigation: () => {} });

export function LiveMark({ live }: { live: Live }) {
  const { paused, setPaused } = useContext(ShellContext);
  const lag = live.parts.fresh && !failed(live.parts.fresh) ? (live.parts.fresh as { lag_ms: number | null }).lag_ms : null;
  const fresh = lag === null ? live.delay : lag + (live.delay ?? 0);
  const words = { connecting: 'connecting', live: 'live', lost: 'connection lost, trying again', paused: 'paused' }[live.state];
  return (
    <div class={`live ${live.state}`}>
      <span class="live-text" role="status" aria-live="off">
        <i class="dot" />
        <b>{words}</b>
        {live.at && <span class="at"> · updated <time>{clock(live.at)}</time></span>}
        {fresh !== null && live.state === 'live' && <span class="fresh" title="From the change in the source to this page: the views' lag and the time since the commit"> · fresh {fresh < 60_000 ? `${(fresh / 1000).toFixed(1)} s` : milliseconds(fresh)}</span>}
      </span>
      <button class="ghost square" aria-pressed={paused} title={paused ? 'Go on' : 'Pause'} aria-label={paused ? 'Go on' : 'Pause'} onClick={() => setPaused(!paused)}><Icon name={paused ? 'play' : 'pause'} size={14} /></button>
    </div>
  );
}

export function Frame({ title, description, controls, live, children, wide }: {
  title: string; description?: string | null; controls?: ComponentChildren; live?: Live; children: ComponentChildren; wide?: boolean;
}) {
  const { setNavigation } = useContext(ShellContext);
  const items = live?.parts.navigation;
  useEffect(() => { if (items && !failed(items)) setNavigation(items as NavigationItem[]); }, [items]);
  useEffect(() => { document.title = title ? `${title} · nearshift` : 'nearshift'; }, [title]);
  return (
    <main id="main" class={wide ? 'wide' : ''}>
      <header class="head">
        <div class="titles"><h1>{title || ' '}</h1>{description && <p>{description}</p>}</div>
        <div class="controls">{controls}</div>
        {live && <LiveMark live={live} />}
      </header>
      {children}
    </main>
  );
}
