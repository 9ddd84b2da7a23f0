// Bundles the console: `node build.mjs OUTDIR` leaves index.html, hashed files and licenses.txt there.
import { build } from 'esbuild';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const out = process.argv[2] ?? 'dist';
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const { metafile } = await build({
  entryPoints: ['src/main.tsx'],
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  entryNames: '[name]-[hash]',
  chunkNames: 'part-[hash]',
  outdir: out,
  metafile: true,
  logLevel: 'warning',
});

const outputs = Object.entries(metafile.outputs);
const script = outputs.find(([, file]) => file.entryPoint === 'src/main.tsx');
const style = basename(script[1].cssBundle);
const preload = script[1].imports
  .filter((item) => item.kind === 'import-statement')
  .map((item) => `<link rel="modulepreload" href="/static/${basename(item.path)}">`);
const page = readFileSync('src/index.html', 'utf8')
  .replace('<!-- style -->', `<link rel="stylesheet" href="/static/${style}">`)
  .replace('<!-- preload -->', preload.join(''))
  .replace('<!-- script -->', `<script type="module" src="/static/${basename(script[0])}"></script>`);
writeFileSync(join(out, 'index.html'), page);
writeFileSync(join(out, 'icon.svg'), readFileSync('src/icon.svg'));

const packages = new Set();
for (const path of Object.keys(metafile.inputs)) {
  const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
  if (found) packages.add(found[1]);
}
const notices = [...packages].sort().map((name) => {
  const folder = join('node_modules', name);
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8').trim() : '';
  return `${name} ${about.version} (${about.license})\n\n${text}\n`;
});
writeFileSync(join(out, 'licenses.txt'), notices.join('\n' + '-'.repeat(80) + '\n\n'));
