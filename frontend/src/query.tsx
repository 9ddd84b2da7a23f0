// The query page: schema tree, editor, results.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { failed, get, post, type ApiError, type QueryAnswer, type Relation, type Schema } from './api';
import type { Editor } from './editor';
import { milliseconds, show } from './format';
import { Icon } from './icons';
import { Sheet, toCsv } from './sheet';
import { Frame } from './shell';
import { ErrorBox } from './tiles';

const textKey = 'nearshift.query.text';
const pastKey = 'nearshift.query.history';
const pastMost = 100;
const example = 'SELECT node_id, kind, row_count, lag_ms, last_status\nFROM svv_nearshift_node\nORDER BY kind;\n';

interface Past { text: string; at: number; ms: number; ok: boolean }

function past(): Past[] {
  try {
    return JSON.parse(localStorage.getItem(pastKey) ?? '[]') as Past[];
  } catch {
    return [];
  }
}

// Positions count characters; the editor counts UTF-16 units.
const units = (text: string, characters: number) => Array.from(text).slice(0, characters).join('').length;

function Fault({ error, text }: { error: ApiError; text: string }) {
  let lines = null;
  if (error.position !== null) {
    const at = units(text, error.position - 1);
    const start = text.lastIndexOf('\n', at - 1) + 1;
    const end = text.indexOf('\n', at);
    const line = text.slice(start, end < 0 ? undefined : end).replace(/\t/g, ' ');
    const head = `LINE ${error.line ?? 1}: `;
    const length = Math.max(1, Math.min(units(text, (error.end ?? error.position) - 1) - at, line.length - (at - start)));
    lines = <pre class="caret" data-caret>{`${head}${line}\n${' '.repeat(head.length + at - start)}${'^'.repeat(length)}`}</pre>;
  }
  return (
    <div class="fault-box" role="alert">
      <p><Icon name="alert" size={16} /> <b>{error.message}</b> <code class="state">{error.sqlstate}</code></p>
      {lines}
      {error.detail && <p><span class="muted">Detail</span> {error.detail}</p>}
      {error.hint && <p><span class="muted">Hint</span> {error.hint}</p>}
      {error.context && <pre class="context">{error.context}</pre>}
    </div>
  );
}

function Tree({ onInsert, onSchema }: { onInsert: (text: string) => void; onSchema: (schema: Schema) => void }) {
  const [schema, setSchema] = useState<Schema | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [open, setOpen] = useState<Set<string>>(new Set());
  const [words, setWords] = useState('');
  const load = useCallback(() => {
    void get<Schema>('/api/schema').then((answer) => {
      if (failed(answer)) { setError(answer.error); return; }
      setError(null);
      setSchema(answer);
      onSchema(answer);
      setOpen((before) => (before.size ? before : new Set(answer.schemas.filter((item) => !/^(pg_|information)/.test(item.name)).slice(0, 2).map((item) => item.name))));
    });
  }, [onSchema]);
  useEffect(load, [load]);
  const flip = (key: string) => setOpen((before) => { const next = new Set(before); if (!next.delete(key)) next.add(key); return next; });
  const isWanted = (relation: Relation) => relation.name.includes(words.toLowerCase()) || relation.columns.some((column) => column.name.includes(words.toLowerCase()));
  const plain = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
  return (
    <aside class="tree" aria-label="Schemas">
      <div class="tree-head">
        <Icon name="search" size={13} /><input placeholder="Tables and columns" aria-label="Search tables and columns" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
        <button class="ghost square" title="Read again" aria-label="Read again" onClick={load}><Icon name="refresh" size={13} /></button>
      </div>
      {error && <ErrorBox error={error} />}
      <ul class="tree-list">
        {schema?.schemas.map((item) => {
          const relations = item.relations.filter(isWanted);
          const isOpen = open.has(item.name) || (words !== '' && relations.length > 0);
          if (words && relations.length === 0) return null;
          return (
            <li key={item.name}>
              <button class="tree-item schema" aria-expanded={isOpen} onClick={() => flip(item.name)}><Icon name={isOpen ? 'down' : 'right'} size={12} />{item.name}<small>{item.relations.length}</small></button>
              {isOpen && (
                <ul>
                  {relations.map((relation) => {
                    const key = `${item.name}.${relation.name}`;
                    return (
                      <li key={key}>
                        <div class="tree-row">
                          <button class="tree-item" aria-expanded={open.has(key)} title={relation.kind} onClick={() => flip(key)}><Icon name={/view/i.test(relation.kind) ? 'eye' : 'table'} size={13} /><span>{relation.name}</span></button>
                          <button class="ghost square" title="Put a SELECT into the editor" aria-label={`Put a SELECT of ${relation.name} into the editor`}
                            onClick={() => onInsert(`SELECT *\nFROM ${plain(item.name)}.${plain(relation.name)}\nLIMIT 100;\n`)}><Icon name="play" size={11} /></button>
                        </div>
                        {open.has(key) && <ul>{relation.columns.map((column) => <li key={column.name}><button class="tree-item column" onClick={() => onInsert(plain(column.name))}><span>{column.name}</span><small>{column.type}</small></button></li>)}</ul>}
                      </li>
                    );
                  })}
                </ul>
              )}
            </li>
          );
        })}
      </ul>
    </aside>
  );
}

export function Query() {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const id = useRef(Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join(''));
  const known = useRef<Schema | null>(null);
  const [running, setRunning] = useState<number | null>(null);
  const [answer, setAnswer] = useState<QueryAnswer | null>(null);
  const [asked, setAsked] = useState('');
  const [tab, setTab] = useState(0);
  const [listed, setListed] = useState(false);
  const [old, setOld] = useState<Past[]>(past);
  const [share, setShare] = useState(44);
  const [, setTick] = useState(0);
  const isRunning = running !== null;

  const run = useCallback(async () => {
    const here = editor.current;
    if (!here) return;
    const piece = here.piece();
    if (piece.text.trim() === '') return;
    setRunning(performance.now());
    here.showFault(null);
    const started = performance.now();
    const found = await post<QueryAnswer>('/api/query', { editor: id.current, text: piece.text });
    setRunning(null);
    const ms = performance.now() - started;
    const next: QueryAnswer = failed(found) ? { results: [], error: found.error, notices: [], ms } : found;
    setAsked(piece.text);
    setAnswer(next);
    setTab(Math.max(0, next.results.findLastIndex((result) => result.grid !== null)));
    if (next.error?.position) here.showFault(piece.start + units(piece.text, next.error.position - 1), piece.start + units(piece.text, (next.error.end ?? next.error.position + 1) - 1));
    const entries = [{ text: piece.text, at: Date.now(), ms: next.ms, ok: !next.error }, ...past().filter((item) => item.text !== piece.text)].slice(0, pastMost);
    try { localStorage.setItem(pastKey, JSON.stringify(entries)); } catch { /* a full or forbidden storage only costs the history */ }
    setOld(entries);
  }, []);
  const latest = useRef(run);
  latest.current = () => (isRunning ? Promise.resolve() : run());

  const offer = useCallback((schema: Schema) => {
    known.current = schema;
    editor.current?.setSchema(Object.fromEntries(schema.schemas.flatMap((item) => item.relations.map((relation) => [`${item.name}.${relation.name}`, relation.columns.map((column) => column.name)]))));
  }, []);

  useEffect(() => {
    let gone = false;
    void import('./editor').then(({ makeEditor }) => {
      if (gone) return;
      editor.current = makeEditor(host.current!, localStorage.getItem(textKey) ?? example, () => void latest.current(), (text) => { try { localStorage.setItem(textKey, text); } catch { /* as above */ } });
      editor.current.focus();
      if (known.current) offer(known.current);
    });
    const leave = () => { void fetch('/api/query/close', { method: 'POST', keepalive: true, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ editor: id.current }) }); };
    window.addEventListener('pagehide', leave);
    return () => { gone = true; window.removeEventListener('pagehide', leave); leave(); editor.current?.destroy(); editor.current = null; };
  }, []);
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = window.setInterval(() => setTick((count) => count + 1), 100);
    return () => window.clearInterval(timer);
  }, [isRunning]);

  const result = answer?.results[tab];
  const download = () => {
    if (!result?.grid) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([toCsv(result.grid)], { type: 'text/csv' }));
    link.download = 'result.csv';
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const drag = (event: PointerEvent) => {
    const bar = event.currentTarget as HTMLElement;
    const area = bar.parentElement!.getBoundingClientRect();
    bar.setPointerCapture(event.pointerId);
    const move = (moved: PointerEvent) => setShare(Math.min(80, Math.max(15, ((moved.clientY - area.top) / area.height) * 100)));
    bar.addEventListener('pointermove', move);
    bar.addEventListener('pointerup', () => bar.removeEventListener('pointermove', move), { once: true });
  };
  return (
    <Frame title="Query" description="Redshift SQL in a session of this tab" wide controls={(
      <>
        <button class="primary" disabled={isRunning} onClick={() => void run()} title="Ctrl-Enter runs the selection, or everything"><Icon name="play" size={13} /> Run <kbd>Ctrl ⏎</kbd></button>
        <button disabled={!isRunning} onClick={() => void post('/api/query/cancel', { editor: id.current })}><Icon name="stop" size={13} /> Cancel</button>
        <span class="choice">
          <button aria-expanded={listed} onClick={() => setListed(!listed)}><Icon name="clock" size={13} /> History</button>
          {listed && (
            <div class="popover history" onKeyDown={(event) => { if (event.key === 'Escape') setListed(false); }}>
              {old.length === 0 && <p class="hint">Nothing was run yet</p>}
              {old.map((item) => (
                <button key={item.at} class="past" onClick={() => { editor.current?.replace(item.text); setListed(false); }}>
                  <code>{item.text.trim().slice(0, 200)}</code><small><i class={`dot ${item.ok ? 'good' : 'bad'}`} /> {new Date(item.at).toLocaleString('en-GB')} · {milliseconds(item.ms)}</small>
                </button>
              ))}
              {old.length > 0 && <button class="ghost wide" onClick={() => { localStorage.removeItem(pastKey); setOld([]); }}>Forget all</button>}
            </div>
          )}
        </span>
      </>
    )}>
      <div class="query">
        <Tree onInsert={(text) => editor.current?.insert(text)} onSchema={offer} />
        <div class="work">
          <div class="card editor" style={{ flexBasis: `${share}%` }} ref={host} />
          <div class="splitter" role="separator" aria-orientation="horizontal" aria-label="Height of the editor" aria-valuenow={Math.round(share)} tabIndex={0} onPointerDown={drag}
            onKeyDown={(event) => { if (event.key === 'ArrowUp') setShare(Math.max(15, share - 5)); if (event.key === 'ArrowDown') setShare(Math.min(80, share + 5)); }} />
          <div class="card results">
            {answer && answer.results.length > 1 && (
              <div class="tabs" role="tablist">{answer.results.map((item, index) => <button key={index} role="tab" aria-selected={tab === index} class={tab === index ? 'on' : ''} onClick={() => setTab(index)}>{index + 1} · {item.tag}</button>)}</div>
            )}
            {answer?.notices.map((notice, index) => <p key={index} class="notice"><b>{notice.severity}</b> {notice.message}{notice.hint && <span class="muted"> {notice.hint}</span>}</p>)}
            {answer?.error && <Fault error={answer.error} text={asked} />}
            {result?.grid ? <Sheet grid={result.grid} /> : result && !answer?.error ? <div class="empty">{result.tag}</div> : !answer && <div class="empty">Results appear here</div>}
            <footer class="status-line" role="status">
              {isRunning ? <><i class="dot running" /> running, {milliseconds(performance.now() - running)}</> : answer ? (
                <>
                  <span>{answer.error ? <><b class="bad">failed</b> · <span data-ms>{milliseconds(answer.ms)}</span></> : result ? <>{result.row_count !== null && <b data-rows>{show(result.row_count)} {result.row_count === 1 ? 'row' : 'rows'}</b>}{result.row_count === null && <b>{result.tag}</b>} · <span data-ms>{result.ms} ms</span></> : 'nothing to run'}</span>
                  {result?.grid?.is_cut && <span class="warn">only the first {show(result.row_count)} rows were fetched</span>}
                  {result?.grid && <button class="ghost" onClick={download}><Icon name="save" size={13} /> CSV</button>}
                </>
              ) : 'ready'}
            </footer>
          </div>
        </div>
      </div>
    </Frame>
  );
}
