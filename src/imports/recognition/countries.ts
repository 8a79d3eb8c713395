// Countries by their names in the languages of the files, and by ISO 3166-1 alpha-2 codes.
import { foldWords } from './text.ts';

const languages = ['en', 'de', 'fr', 'es', 'tr', 'nl', 'it', 'pt', 'pl', 'ja'];
const aliases = {
  US: 'usa|u s a|u s|united states of america|america|vereinigte staaten von amerika|etats unis d amerique|eeuu|ee uu|abd',
  GB: 'uk|u k|england|scotland|wales|northern ireland|great britain|britain|grossbritannien|grande bretagne|gran bretana|ingiltere',
  DE: 'deu|brd|federal republic of germany|bundesrepublik deutschland',
  AT: 'aut|osterreich|oesterreich',
  CH: 'che|schweiz suisse svizzera',
  FR: 'fra',
  ES: 'esp',
  NL: 'holland|the netherlands|hollande|holanda|hollanda',
  AE: 'uae',
  CZ: 'czech republic|tschechische republik|republique tcheque|republica checa',
  TR: 'turkey|turkiye cumhuriyeti',
  RU: 'russian federation',
  KR: 'republic of korea|korea republic of',
  KP: 'democratic people s republic of korea',
  IE: 'republic of ireland',
  IR: 'islamic republic of iran',
  SY: 'syrian arab republic',
  VN: 'viet nam',
  LA: 'lao people s democratic republic',
  MD: 'republic of moldova',
  TZ: 'united republic of tanzania',
  BN: 'brunei darussalam',
  CI: 'ivory coast',
  CD: 'democratic republic congo|dr congo',
  CG: 'congo|republic congo',
  CV: 'cape verde',
  FK: 'falkland islands malvinas',
  KG: 'kyrgyz republic',
  LY: 'libyan arab jamahiriya',
  MK: 'macedonia|macedoine|mazedonien',
  MM: 'burma|birmanie',
  PS: 'palestine|palestinian territory',
  SZ: 'swaziland',
  VA: 'holy see vatican city state|holy see|vatican',
  VG: 'virgin islands british',
  VI: 'virgin islands u s',
};

let codes: Map<string, string> | undefined;
let names: Intl.DisplayNames | undefined;

/** A name without what it is also written without: Saint and St., “and”, articles. */
const countryKey = (text: string): string =>
  foldWords(text)
    .replace(/\b(?:st|sankt|sint|sveti|swiety)\b/g, 'saint')
    .replace(/(?<= )(?:and|und|et|y|ve|en|e|i|the|of|de|sar|china)(?= |$)/g, '')
    .replace(/ {2,}/g, ' ')
    .trim();

/** The code of a country that is written as a name or a code; null for what is none. */
export function countryCode(text: string): string | null {
  codes ??= readCodes();
  return codes.get(text) ?? (text.length > 100 ? null : (codes.get(countryKey(text)) ?? null));
}

/** The country as it is kept: as it is written, but of a bare code its English name. */
export function countryName(text: string): string {
  if (text.length !== 2 || !/^[A-Z]{2}$/.test(text) || countryCode(text) !== text) return text;
  return (names ??= new Intl.DisplayNames('en', { type: 'region' })).of(text)!;
}

function readCodes(): Map<string, string> {
  const found = new Map<string, string>();
  const all = (['long', 'short'] as const).flatMap((style) =>
    languages.map((language) => new Intl.DisplayNames(language, { type: 'region', fallback: 'none', style })),
  );
  for (let code = 0; code < 26 * 26; code++) {
    const region = String.fromCharCode(65 + Math.floor(code / 26), 65 + (code % 26));
    // Of these groups and of “unknown region” nobody is a citizen; UK is not the code of the United Kingdom.
    if (['EU', 'EZ', 'UN', 'ZZ', 'QO', 'XA', 'XB', 'UK'].includes(region) || all[0]!.of(region) === undefined) continue;
    // Codes that were replaced have the name of their successor.
    if (new Intl.Locale(`und-${region}`).region !== region) continue;
    found.set(region, region);
    for (const language of all) {
      const name = language.of(region);
      // As it is spelled, too, so that most need no folding.
      for (const text of name === undefined ? [] : [name, countryKey(name)]) if (text !== '' && !found.has(text)) found.set(text, region);
    }
  }
  for (const [region, texts] of Object.entries(aliases)) for (const text of texts.split('|')) found.set(countryKey(text), region);
  return found;
}
