// The connection to the server's pushes: reconnects by itself, keeps the latest value of every part.
import { useEffect, useRef, useState } from 'preact/hooks';

export type Parts = Record<string, unknown>;
export interface Live { parts: Parts; at: Date | null; delay: number | null; state: 'connecting' | 'live' | 'lost' | 'paused' }

const hiddenMs = 60_000;

export function useLive(path: string, paused: boolean): Live {
  const [live, setLive] = useState<Live>({ parts: {}, at: null, delay: null, state: 'connecting' });
  const page = useRef('');
  const [hidden, setHidden] = useState(false);

  useEffect(() => {
    let timer = 0;
    const changed = () => {
      window.clearTimeout(timer);
      if (document.hidden) timer = window.setTimeout(() => setHidden(true), hiddenMs);
      else setHidden(false);
    };
    document.addEventListener('visibilitychange', changed);
    return () => { window.clearTimeout(timer); document.removeEventListener('visibilitychange', changed); };
  }, []);

  useEffect(() => {
    const own = path.split('?')[0]!;
    if (page.current !== own) {
      page.current = own;
      setLive({ parts: {}, at: null, delay: null, state: 'connecting' });
    }
    if (paused || hidden) {
      setLive((before) => ({ ...before, state: 'paused' }));
      return undefined;
    }
    let source: EventSource | null = null;
    let retry = 0;
    let ended = false;
    const open = () => {
      source = new EventSource(path);
      source.onmessage = (event) => {
        const message = JSON.parse(event.data as string) as { at: string; delay_ms: number | null; parts: Parts };
        setLive((before) => ({
          parts: { ...before.parts, ...message.parts }, at: new Date(message.at), state: 'live', delay: message.delay_ms,
        }));
      };
      source.onerror = () => {
        if (ended) return;
        setLive((before) => ({ ...before, state: 'lost' }));
        // A refused request ends an EventSource for good; a lost connection does not.
        if (source?.readyState === EventSource.CLOSED) retry = window.setTimeout(open, 2000);
      };
    };
    open();
    return () => { ended = true; window.clearTimeout(retry); source?.close(); };
  }, [path, paused, hidden]);
  return live;
}

// The present time, renewed every second, for ages.
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}
