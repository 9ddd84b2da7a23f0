// The console: navigation, and one page at a time.
import { render } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { failed, get, type NavigationItem } from './api';
import { Dashboard } from './dashboard';
import { Icon, type IconName } from './icons';
import { Pipeline } from './pipeline';
import { Query } from './query';
import { ShellContext } from './shell';
import './styles.css';
import { flip, useTheme } from './theme';

function usePath(): [string, (path: string) => void] {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const changed = () => setPath(location.pathname);
    window.addEventListener('popstate', changed);
    return () => window.removeEventListener('popstate', changed);
  }, []);
  return [path, (next) => { if (next !== location.pathname) history.pushState(null, '', next); setPath(next); }];
}

function Endpoints({ endpoints }: { endpoints: Record<string, string> }) {
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState('');
  const copy = (name: string, text: string) => { void navigator.clipboard?.writeText(text).then(() => { setCopied(name); window.setTimeout(() => setCopied(''), 1500); }); };
  return (
    <div class="endpoints" onKeyDown={(event) => { if (event.key === 'Escape') setOpen(false); }}>
      <button class="nav-item" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="plug" /><span>Connect</span></button>
      {open && (
        <div class="popover up" role="dialog" aria-label="Connect other programs">
          {Object.entries(endpoints).map(([name, text]) => (
            <div class="endpoint" key={name}><b>{name}</b><code>{text}</code>
              <button class="ghost" onClick={() => copy(name, text)} aria-label={`Copy the address of ${name}`}>{copied === name ? 'copied' : <Icon name="copy" size={13} />}</button></div>
          ))}
        </div>
      )}
    </div>
  );
}

function App() {
  const [path, go] = usePath();
  const [items, setItems] = useState<NavigationItem[]>([]);
  const [endpoints, setEndpoints] = useState<Record<string, string>>({});
  const [paused, setPaused] = useState(false);
  const theme = useTheme();
  useEffect(() => {
    void get<{ dashboards: NavigationItem[]; endpoints: Record<string, string> }>('/api/overview').then((answer) => {
      if (!failed(answer)) { setItems(answer.dashboards); setEndpoints(answer.endpoints); }
    });
  }, []);
  const shell = useMemo(() => ({ paused, setPaused, setNavigation: setItems }), [paused]);
  const link = (to: string, icon: IconName, words: string, broken = false) => (
    <a key={to} class={`nav-item ${path === to ? 'on' : ''}`} href={to} aria-current={path === to ? 'page' : undefined}
      onClick={(event) => { if (!event.metaKey && !event.ctrlKey && event.button === 0) { event.preventDefault(); go(to); } }}>
      <Icon name={icon} /><span>{words}</span>{broken && <i class="mark" title="This file has an error">!</i>}
    </a>
  );
  const board = /^\/dashboards\/(.+)$/.exec(path);
  return (
    <ShellContext.Provider value={shell}>
      <a class="skip" href="#main">To the content</a>
      <nav aria-label="Pages">
        <a class="brand" href="/"><img src="/static/icon.svg" alt="" width="24" height="24" /><b>nearshift</b></a>
        <p class="nav-title">Dashboards</p>
        {items.map((item) => link(`/dashboards/${encodeURIComponent(item.name)}`, 'board', item.title, item.is_broken))}
        {items.length === 0 && <p class="nav-none">No files in dashboards/</p>}
        <p class="nav-title">Warehouse</p>
        {link('/pipeline', 'road', 'Pipeline')}
        {link('/query', 'query', 'Query')}
        <div class="nav-foot">
          <Endpoints endpoints={endpoints} />
          <button class="nav-item" onClick={flip}><Icon name={theme === 'dark' ? 'sun' : 'moon'} /><span>{theme === 'dark' ? 'Light' : 'Dark'} theme</span></button>
        </div>
      </nav>
      {board ? <Dashboard key={path} name={decodeURIComponent(board[1]!)} paused={paused} />
        : path === '/query' ? <Query /> : <Pipeline paused={paused} go={go} />}
    </ShellContext.Provider>
  );
}

render(<App />, document.getElementById('root')!);
