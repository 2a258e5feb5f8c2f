import { describe, expect, it } from 'vitest';
import { addressAfter, restartWords } from './restart';

describe('a restart', () => {
  it('says what goes on meanwhile', () => {
    expect(restartWords(0, 0, '')).toContain('No task is running.');
    expect(restartWords(0, 0, '')).not.toContain('edit');
    expect(restartWords(1, 1, '')).toContain('1 task goes on');
    expect(restartWords(1, 1, '')).toContain('1 edit on this page is not saved');
    expect(restartWords(3, 2, '')).toContain('3 tasks go on');
    expect(restartWords(3, 0, 'http://farm:81/')).toContain('this page is at http://farm:81/');
  });

  it.each([
    [':8080', ':8080', ''],
    [':9090', ':8080', 'http://farm:9090/app/settings'],
    ['10.0.0.5:8080', ':8080', 'http://10.0.0.5:8080/app/settings'],
    ['0.0.0.0:8080', ':8080', ''],
    ['[::1]:9090', ':8080', 'http://[::1]:9090/app/settings'],
    [':80', ':8080', 'http://farm/app/settings'],
    ['nonsense', ':8080', ''],
  ])('with %s instead of %s leads to "%s"', (listen, now, address) => {
    expect(addressAfter(listen, now, new URL('http://farm:8080/app/settings'))).toBe(address);
  });
});
