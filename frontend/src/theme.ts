// Light or dark: the system's wish unless the reader chose.
import { useEffect, useState } from 'preact/hooks';

export type Theme = 'light' | 'dark';
const key = 'nearshift.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();

function chosen(): Theme | null {
  const value = localStorage.getItem(key);
  return value === 'light' || value === 'dark' ? value : null;
}

export const theme = (): Theme => chosen() ?? (dark.matches ? 'dark' : 'light');

function apply(): void {
  document.documentElement.dataset.theme = theme();
  listeners.forEach((listener) => listener());
}

export function flip(): void {
  localStorage.setItem(key, theme() === 'dark' ? 'light' : 'dark');
  apply();
}

dark.addEventListener('change', apply);
apply();

export function useTheme(): Theme {
  const [value, setValue] = useState(theme());
  useEffect(() => {
    const listener = () => setValue(theme());
    listeners.add(listener);
    return () => { listeners.delete(listener); };
  }, []);
  return value;
}
