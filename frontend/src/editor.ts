// CodeMirror with SQL as Redshift speaks it; loaded with the query page.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { SQLDialect, sql } from '@codemirror/lang-sql';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, Prec, StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const words = `add all alter analyze and any as asc auto authorization backup begin between both by call case cast check column comment commit constraint create cross
cursor database default delete desc describe distinct distkey diststyle drop else encode end except exception execute exists explain external false fetch for foreign from full
function grant group having if ilike in initially inner insert intersect interval into is join key kinesis kafka language left like limit materialized merge natural no not null
nonatomic object of offset on only or order outer over owner partition precision prepare primary procedure qualify quote raise references refresh rename replace returning returns revoke
right rollback row rows schema select sequence session set show similar some sortkey start super table temp temporary then to transaction true truncate union unique unnest unpivot update
user using values varying view when where with without work yes`;
const types = `bigint boolean bool char character date decimal double float float4 float8 int int2 int4 int8 integer numeric real smallint super text time timestamp timestamptz timetz
varbyte varchar`;
const functions = `avg approximate_arrival_timestamp can_json_parse coalesce convert_timezone count current_date current_timestamp current_user date_part date_trunc dateadd datediff decode
extract first_value getdate initcap json_parse json_serialize json_typeof lag last_value lead least greatest len length listagg lower lpad ltrim max median min nullif nvl nvl2
percentile_cont position rank dense_rank regexp_replace regexp_substr replace round row_number rpad rtrim split_part stddev strtol substring sum sysdate to_char to_date to_timestamp
translate trim trunc upper json_extract_path_text is_valid_json get_array_length object_transform`;

const redshift = SQLDialect.define({ keywords: words, types, builtin: functions, doubleDollarQuotedStrings: true, doubleQuotedStrings: false, operatorChars: '+-*/<>=~!@#%^&|`?', identifierQuotes: '"', caseInsensitiveIdentifiers: true });

const colours = HighlightStyle.define([
  { tag: tags.keyword, class: 'sql-keyword' }, { tag: [tags.string, tags.special(tags.string)], class: 'sql-string' }, { tag: tags.number, class: 'sql-number' },
  { tag: [tags.lineComment, tags.blockComment], class: 'sql-comment' }, { tag: tags.typeName, class: 'sql-type' }, { tag: [tags.standard(tags.name), tags.bool, tags.null], class: 'sql-builtin' },
  { tag: tags.operator, class: 'sql-operator' },
]);

const setFault = StateEffect.define<{ from: number; to: number } | null>();
const fault = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, change) {
    let next = change.docChanged ? Decoration.none : marks;
    for (const effect of change.effects) {
      if (!effect.is(setFault)) continue;
      const at = effect.value;
      if (!at) { next = Decoration.none; continue; }
      const line = change.state.doc.lineAt(at.from);
      next = Decoration.set([Decoration.line({ class: 'fault-line' }).range(line.from), ...(at.to > at.from ? [Decoration.mark({ class: 'fault' }).range(at.from, at.to)] : [])]);
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export interface Editor {
  text: () => string;
  piece: () => { text: string; start: number };
  insert: (text: string) => void;
  replace: (text: string) => void;
  showFault: (from: number | null, to?: number) => void;
  setSchema: (schema: Record<string, string[]>) => void;
  focus: () => void;
  destroy: () => void;
}

export function makeEditor(parent: HTMLElement, text: string, onRun: () => void, onChange: (text: string) => void): Editor {
  const language = new Compartment();
  const speak = (schema: Record<string, string[]>) => sql({ dialect: redshift, schema, upperCaseKeywords: false, defaultSchema: 'public' });
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), highlightActiveLine(), highlightActiveLineGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(),
        highlightSelectionMatches(), syntaxHighlighting(colours), language.of(speak({})), fault, placeholder('SELECT …'), EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'SQL' }),
        EditorView.updateListener.of((change) => { if (change.docChanged) onChange(change.state.doc.toString()); }),
        Prec.highest(keymap.of([{ key: 'Mod-Enter', preventDefault: true, run: () => { onRun(); return true; } }])),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap, indentWithTab]),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    piece: () => {
      const { from, to } = view.state.selection.main;
      return from === to || view.state.sliceDoc(from, to).trim() === '' ? { text: view.state.doc.toString(), start: 0 } : { text: view.state.sliceDoc(from, to), start: from };
    },
    insert: (piece) => { view.dispatch(view.state.replaceSelection(piece)); view.focus(); },
    replace: (whole) => { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: whole }, selection: { anchor: whole.length } }); view.focus(); },
    showFault: (from, to) => {
      if (from === null) { view.dispatch({ effects: setFault.of(null) }); return; }
      const start = Math.min(from, view.state.doc.length);
      const end = Math.min(Math.max(to ?? start + 1, start), view.state.doc.length);
      view.dispatch({ effects: [setFault.of({ from: start, to: end }), EditorView.scrollIntoView(start, { y: 'nearest' })] });
    },
    setSchema: (schema) => view.dispatch({ effects: language.reconfigure(speak(schema)) }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
