// The controls above a dashboard.
import { useEffect, useRef, useState } from 'preact/hooks';
import { failed, type FilterSpec } from './api';
import { label } from './format';
import { Icon } from './icons';

const spans: [string, string][] = [['all', 'All time'], ['5m', 'Last 5 minutes'], ['15m', 'Last 15 minutes'], ['1h', 'Last hour'], ['6h', 'Last 6 hours'], ['24h', 'Last 24 hours'], ['7d', 'Last 7 days'], ['30d', 'Last 30 days']];

export function TimeFilter({ spec, value, onChange }: { spec: FilterSpec; value: string; onChange: (value: string) => void }) {
  const known = spans.some(([span]) => span === value) ? spans : [[value, `Last ${value}`] as [string, string], ...spans];
  return (
    <label class="control"><Icon name="clock" size={14} /><span class="sr">{spec.title}</span>
      <select value={value} data-filter={spec.dimension} onChange={(event) => onChange(event.currentTarget.value)}>
        {known.map(([span, words]) => <option key={span} value={span}>{words}</option>)}
      </select>
    </label>
  );
}

export function ChoiceFilter({ spec, offered, chosen, onChange }: {
  spec: FilterSpec; offered: unknown; chosen: (string | null)[]; onChange: (values: (string | null)[]) => void;
}) {
  const [open, setOpen] = useState(false);
  const [words, setWords] = useState('');
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event: Event) => { if (!box.current?.contains(event.target as Node)) setOpen(false); };
    document.addEventListener('pointerdown', outside);
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);
  const values = offered && !failed(offered) ? (offered as { values: (string | null)[] }).values : [];
  const shown = values.filter((value) => label(value).toLowerCase().includes(words.toLowerCase()));
  const text = `${spec.title}: ${chosen.length === 0 ? 'all' : chosen.length === 1 ? label(chosen[0]) : chosen.length}`;
  const toggle = (value: string | null) => onChange(chosen.includes(value) ? chosen.filter((item) => item !== value) : [...chosen, value]);
  return (
    <div class="choice" ref={box} onKeyDown={(event) => { if (event.key === 'Escape') { setOpen(false); box.current?.querySelector('button')?.focus(); } }}>
      <button class={`control ${chosen.length ? 'is-set' : ''}`} data-filter={spec.dimension} aria-haspopup="listbox" aria-expanded={open} onClick={() => setOpen(!open)}>
        {text}<Icon name="down" size={13} />
      </button>
      {open && (
        <div class="popover" role="listbox" aria-multiselectable="true" aria-label={spec.title}>
          {values.length > 8 && <input class="search" placeholder="Search" aria-label={`Search ${spec.title}`} value={words} onInput={(event) => setWords(event.currentTarget.value)} />}
          <div class="options">
            {shown.map((value) => (
              <label key={String(value)} class="option"><input type="checkbox" checked={chosen.includes(value)} onChange={() => toggle(value)} /><span>{label(value)}</span></label>
            ))}
            {shown.length === 0 && <p class="hint">Nothing to choose</p>}
          </div>
          <button class="ghost wide" disabled={chosen.length === 0} onClick={() => onChange([])}>Show all</button>
        </div>
      )}
    </div>
  );
}
