// How email addresses are compared.
import { describe, expect, test } from 'vitest';
import { normalizeEmail } from '../src/domain/email.ts';

describe('an email address', () => {
  test.each([
    ['A@B.example ', 'a@b.example'],
    ['\u00a0ann@example.org\t', 'ann@example.org'],
    ["o'neil+club_1@sub.example.org", "o'neil+club_1@sub.example.org"],
    ['ＡＮＮ＠ＥＸＡＭＰＬＥ．ＯＲＧ', 'ann@example.org'],
    ['ann@例え。テスト', 'ann@xn--r8jz45g.xn--zckzah'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['ann@BU\u0308CHER.example', 'ann@xn--bcher-kva.example'],
    ['ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example'],
    ['jose\u0301@example.org', 'jos\u00e9@example.org'],
    ['愛菜@example.org', '愛菜@example.org'],
    [`${'l'.repeat(64)}@example.org`, `${'l'.repeat(64)}@example.org`],
  ])('%j is compared as %j', (written, normalized) => {
    expect(normalizeEmail(written)).toBe(normalized);
    expect(normalizeEmail(normalized)).toBe(normalized);
  });

  test('with look-alike letters is another address', () => {
    expect(normalizeEmail('\u0430nn@example.org')).toBe('\u0430nn@example.org');
    expect(normalizeEmail('\u0430nn@example.org')).not.toBe(normalizeEmail('ann@example.org'));
    expect(normalizeEmail('ann@ex\u0430mple.org')).not.toBe(normalizeEmail('ann@example.org'));
  });

  test.each([
    '',
    ' ',
    '@',
    'not-an-email',
    'ann@',
    '@example.org',
    'ann@localhost',
    'a@b@example.org',
    'a＠b@example.org',
    'an n@example.org',
    'ann@exam ple.org',
    'a\0nn@example.org',
    'ann\n@example.org',
    'a\u202enn@example.org',
    'ann\u200d@example.org',
    'ann@exa\u00admple.org',
    'ann\u3164@example.org',
    '\ud800@example.org',
    '"ann b"@example.org',
    '<ann@example.org>',
    'a,b@example.org',
    '.ann@example.org',
    'ann.@example.org',
    'a..n@example.org',
    'ann@example..org',
    'ann@.example.org',
    'ann@example.org.',
    'ann@-example.org',
    'ann@example-.org',
    'ann@under_score.org',
    'ann@[127.0.0.1]',
    'ann@127.0.0.1',
    'ann@1.2',
    'ann@0x7f.1',
    'ann@ex%61mple.org',
    'ann@example.org/x',
    'ann@example.org:25',
    'ann@xn--.org',
    `${'l'.repeat(65)}@example.org`,
    `ann@${'d'.repeat(64)}.org`,
    `ann@${'d.'.repeat(125)}org`,
    `${'é'.repeat(33)}@example.org`,
  ])('is not %j', (written) => {
    expect(normalizeEmail(written)).toBeNull();
  });

  test('of a megabyte is refused without work', () => {
    expect(normalizeEmail(`ann@${'ü'.repeat(1_000_000)}.org`)).toBeNull();
  });
});
