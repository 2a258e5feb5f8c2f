import { describe, expect, it } from 'vitest';
import { changedKeys, fieldErrors, isMeant, labelOf, otherKeys, problemsOf, rebase, SECTIONS, sourceWords, valueAt, valueWords, variableNameError, withValue, type Field, type Tree } from './settings';

const base: Tree = {
  _meta: { version: 3 },
  manager_name: 'Farm',
  listen: ':8080',
  database: 'a.sqlite',
  database_check_period: '24h0m0s',
  local_manager_storage_path: './s',
  shared_storage_path: '/farm',
  shaman: { enabled: false, future: 1, garbageCollect: { period: 'nonsense', maxAge: '1h' } },
  thumbnail_storage_mb: 20000,
  task_timeout: '10m0s',
  worker_timeout: '2m0s',
  worker_disk_limit: 0,
  blocklist_threshold: 3,
  task_fail_after_softfail_count: 3,
  scripts_paths: [],
  script_time_limit: '5s',
  mqtt: { client: { enabled: false, broker: '' } },
  access: { admin_token: '', artist_token: '', viewer_token: '', without_token: 'nothing', registration_token: '' },
  audit_max_age: '8760h0m0s',
  variables: { blender: { values: [{ platform: 'all', value: 'blender' }] }, 'a.b': { values: [] } },
  of_tomorrow: { deep: true },
};

describe('values by key', () => {
  it('leave everything else as it is', () => {
    const changed = withValue(base, 'shaman.garbageCollect.period', '1h');
    expect(valueAt(changed, 'shaman.garbageCollect.period')).toBe('1h');
    expect(changed).toEqual({ ...base, shaman: { enabled: false, future: 1, garbageCollect: { period: '1h', maxAge: '1h' } } });
    expect(valueAt(base, 'shaman.garbageCollect.period')).toBe('nonsense');
    expect(withValue({}, 'a.b', 1)).toEqual({ a: { b: 1 } });
  });
});

describe('fieldErrors', () => {
  it('looks only at what is in use', () => {
    expect([...fieldErrors(base).keys()]).toEqual([]);
    expect([...fieldErrors(withValue(base, 'shaman.enabled', true)).keys()]).toEqual(['shaman.garbageCollect.period']);
    expect([...fieldErrors(withValue(base, 'mqtt.client.enabled', true)).keys()]).toEqual(['mqtt.client.broker']);
  });

  it.each([
    ['task_timeout', '0s', true],
    ['task_timeout', '0', true],
    ['task_timeout', '1h30m', true],
    ['task_timeout', '1.5h', true],
    ['task_timeout', '90', false],
    ['task_timeout', '-5m', false],
    ['task_timeout', '', false],
    ['task_timeout', '10 minutes', false],
    ['blocklist_threshold', 0, true],
    ['blocklist_threshold', -1, false],
    ['blocklist_threshold', 1.5, false],
    ['blocklist_threshold', '3', false],
    ['manager_name', '', true],
    ['listen', ' ', false],
    ['listen', ':8080', true],
    ['listen', '127.0.0.1:80', true],
    ['listen', '[::1]:8080', true],
    ['listen', 'host:99999', false],
    ['listen', '8080', false],
    ['listen', 'no such: address', false],
    ['access.admin_token', 'short', false],
    ['access.admin_token', '********', true],
    ['access.admin_token', 'sixteen-letters!', true],
    ['access.admin_token', 'sixteen letters!', false],
    ['access.registration_token', 'sixteen:letters!', false],
    ['access.admin_token', 'sechzehnBuchstäbe', false],
  ])('%s: %j is fine: %s', (key, value, fine) => expect(fieldErrors(withValue(base, key, value)).has(key)).toBe(!fine));
});

describe('the tokens of the roles', () => {
  const ONE = 'sixteen-letters!';
  it.each<[string, Tree, string[]]>([
    ['none', {}, []],
    ['an admin token alone', { admin_token: ONE }, []],
    ['all three', { admin_token: ONE, artist_token: `${ONE}2`, viewer_token: `${ONE}3` }, []],
    ['a new one beside one that was saved', { admin_token: '********', artist_token: ONE }, []],
    ['all saved', { admin_token: '********', artist_token: '********', viewer_token: '********' }, []],
    ['an artist token alone', { artist_token: ONE }, ['access.artist_token']],
    ['saved ones without the admin token', { artist_token: '********', viewer_token: '********' }, ['access.artist_token', 'access.viewer_token']],
    ['the same twice', { admin_token: ONE, viewer_token: ONE }, ['access.viewer_token']],
    ['artists and viewers with the same', { admin_token: `${ONE}1`, artist_token: ONE, viewer_token: ONE }, ['access.viewer_token']],
    ['a short one', { admin_token: ONE, artist_token: 'short' }, ['access.artist_token']],
  ])('%s', (_, tokens, wrong) => {
    expect([...fieldErrors({ ...base, access: { ...(base.access as Tree), ...tokens } }).keys()]).toEqual(wrong);
  });

  it('what can be done without one has a meaning only with an admin token', () => {
    const field = SECTIONS.flatMap(({ fields }) => fields).find(({ key }) => key === 'access.without_token');
    expect(field && ['', ONE, '********'].map((token) => isMeant(withValue(base, 'access.admin_token', token), field))).toEqual([false, true, true]);
  });
});

describe('problemsOf', () => {
  it('finds the field of each problem, and leaves warnings out', () => {
    const { byKey, rest } = problemsOf(
      '/farm/flamenco-manager.yaml cannot be used:\n  task_timeout: "abc" is not a duration\n  line 3: shaman.linkType: expected one of a, b\n  variables.x.values[0].value: too long\n  warning: foo: unknown key, ignored\n  the whole file is odd',
    );
    expect([...byKey]).toEqual([
      ['task_timeout', '"abc" is not a duration'],
      ['shaman.linkType', 'expected one of a, b'],
      ['variables.x.values[0].value', 'too long'],
    ]);
    expect(rest).toEqual(['the whole file is odd']);
  });

  it('shows a message of another kind as it is', () => {
    expect(problemsOf('the disk is full').rest).toEqual(['the disk is full']);
  });
});

describe('changes', () => {
  it('are found in fields, variables and unknown keys', () => {
    const mine = { ...withValue(base, 'shaman.enabled', true), of_tomorrow: 2, variables: { blender: base.variables, 'c.d': {} } };
    expect(changedKeys(base, mine).sort()).toEqual(['of_tomorrow', 'shaman.enabled', 'variables.a.b', 'variables.blender', 'variables.c.d']);
    expect(changedKeys(base, structuredClone(base))).toEqual([]);
  });

  it('of two people are put together', () => {
    const mine = { ...withValue(base, 'task_timeout', '1h'), variables: { blender: {} } };
    const theirs = { ...withValue(base, 'manager_name', 'Theirs'), new_key: 1 };
    const { merged, conflicts } = rebase(base, mine, theirs);
    expect(conflicts).toEqual([]);
    expect(merged).toEqual({ ...base, manager_name: 'Theirs', task_timeout: '1h', new_key: 1, variables: { blender: {} } });
  });

  it('of the same key are conflicts, unless they are the same', () => {
    const mine = withValue(withValue(base, 'task_timeout', '1h'), 'listen', ':9');
    const theirs = withValue(withValue(base, 'task_timeout', '2h'), 'listen', ':9');
    const { merged, conflicts } = rebase(base, mine, theirs);
    expect(conflicts).toEqual(['task_timeout']);
    expect(valueAt(merged, 'task_timeout')).toBe('1h');
  });
});

describe('the form', () => {
  it('has every key of the file once', () => {
    const keys = SECTIONS.flatMap((section) => section.fields.map((field) => field.key));
    expect(new Set(keys).size).toBe(keys.length);
    expect(otherKeys(base)).toEqual(['of_tomorrow']);
  });

  it('knows what to call things, and what needs a restart', () => {
    expect([labelOf('listen'), labelOf('variables.blender'), labelOf('x')]).toEqual(['Address and port', 'variable blender', 'x']);
  });

  it.each([
    ['storage', ''],
    ['  ', 'Write a name.'],
    ['{x}', 'A name has no braces; they are added where the variable is used.'],
    [' blender ', 'There is a variable of this name already.'],
    ['jobs', 'The manager itself sets the variable "jobs".'],
  ])('the name %j: %s', (name, error) => expect(variableNameError(name, ['blender'])).toBe(error));
});

describe('what is in force', () => {
  const field = (kind: Field['kind']): Field => ({ key: 'x', label: 'X', kind, help: '', usual: '' });
  it('is told in words', () => {
    expect(valueWords(field('switch'), 'true')).toBe('on');
    expect(valueWords(field('switch'), 'false')).toBe('off');
    expect(valueWords(field('secret'), '********')).toBe('set');
    expect(valueWords(field('secret'), '')).toBe('not set');
    expect(valueWords(field('list'), '/a\n/b')).toBe('/a, /b');
    expect(valueWords(field('text'), '')).toBe('nothing');
    expect(valueWords(field('duration'), '10m0s')).toBe('10m0s');
  });
  it('says where it comes from', () => {
    const state = { key: 'x', value: '', default: '', at_restart: false, waiting: false };
    expect(sourceWords({ ...state, source: 'environment', variable: 'FLAMENCO_LISTEN' })).toBe('from the environment variable FLAMENCO_LISTEN');
    expect(sourceWords({ ...state, source: 'file' })).toBe('from the file');
    expect(sourceWords({ ...state, source: 'default' })).toBe('the default');
  });
});
