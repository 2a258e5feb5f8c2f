import { describe, expect, it } from 'vitest';
import type { MachineSample, WorkerMachine } from '@/api/types';
import { bytes, diskStrain, freshness, machineTroubles,
  machineWarnings, readMachine, sparkline, TRAIL, uptime, withPast, type Reading } from './machines';

const GB = 2 ** 30;

function report(fields: Partial<WorkerMachine> = {}): WorkerMachine {
  return {
    worker: 'w',
    received_at: '2026-01-01T00:00:00Z',
    clock_offset_ms: 0,
    load: { cpu_percent: 40, memory_used: 4 * GB, memory_total: 16 * GB },
    state: {
      disks: [
        { purpose: 'root', path: '/', used: 50 * GB, total: 100 * GB },
        { purpose: 'output', path: '/farm', used: 95 * GB, total: 100 * GB },
      ],
    },
    ...fields,
  };
}

describe('readMachine', () => {
  it('gives shares, and of the disks the fullest', () => {
    expect(readMachine(report(), 1, null)).toMatchObject({ cpu: 40, memory: 25, disk: 95, gpu: undefined, cpuTrail: [40] });
  });

  it('keeps the disks of an earlier report when only the load comes', () => {
    const before = readMachine(report(), 1, null);
    const load = { cpu_percent: 90, memory_used: 8 * GB, memory_total: 16 * GB };
    const now = readMachine(report({ state: undefined, load }), 2, before);
    expect(now).toMatchObject({ heardAt: 2, cpu: 90, memory: 50, disk: 95, cpuTrail: [40, 90], memoryTrail: [25, 50] });
  });

  it('a report without load says nothing new about it', () => {
    const before = readMachine(report(), 1, null);
    expect(readMachine(report({ load: undefined }), 2, before)).toMatchObject({ cpu: 40, memory: 25, cpuTrail: [40] });
    expect(readMachine(report({ load: undefined, state: undefined }), 2, null)).toMatchObject({ cpu: undefined, memory: undefined, disk: undefined });
  });

  it('takes the busiest GPU, and knows none where none tells', () => {
    const load = { cpu_percent: 1, memory_used: 0, memory_total: 0, gpus: [{ use_percent: 20 }, { use_percent: 70 }, {}] };
    expect(readMachine(report({ load }), 1, null)).toMatchObject({ gpu: 70, memory: undefined });
  });

  it('tells the load averages, and what the task of the moment takes', () => {
    const load = { cpu_percent: 1, memory_used: 0, memory_total: 0, load_1: 2.5, load_5: 1, task_cpu_percent: 350, task_memory: GB };
    const busy = readMachine(report({ load }), 1, null);
    expect(busy).toMatchObject({ load: 2.5, loads: [2.5, 1], taskCpu: 350, taskMemory: GB });
    expect(readMachine(report(), 2, busy)).toMatchObject({ loads: [], taskCpu: undefined });
  });

  it('tells the use of each processor, and keeps it until a report has another one', () => {
    const load = { cpu_percent: 50, memory_used: 0, memory_total: 0, cores_percent: [90, 10] };
    const busy = readMachine(report({ load }), 1, null);
    expect(busy.cores).toEqual([90, 10]);
    expect(readMachine(report({ load: undefined }), 2, busy).cores).toEqual([90, 10]);
    expect(readMachine(report(), 3, busy).cores).toEqual([]);
  });

  it('remembers only as much as is drawn', () => {
    let reading: Reading | null = null;
    for (let n = 0; n < TRAIL + 9; n++) reading = readMachine(report(), n, reading);
    expect(reading?.cpuTrail.length).toBe(TRAIL);
  });
});

describe('withPast', () => {
  const sample = (cpu: number) => ({ cpu_percent: cpu, memory_used: 1, memory_total: 4 }) as MachineSample;

  it('puts what was before in front, once', () => {
    const reading = readMachine(report(), 1, null);
    expect(withPast(reading, [sample(1), sample(2), sample(40)])).toMatchObject({ cpuTrail: [1, 2, 40], memoryTrail: [25, 25, 25] });
    expect(withPast(reading, [sample(40)]).cpuTrail).toEqual([40]);
    expect(withPast(reading, Array.from({ length: 200 }, () => sample(7))).cpuTrail.length).toBe(TRAIL);
  });
});

describe('freshness', () => {
  it.each([
    [0, 'live'],
    [15_000, 'live'],
    [15_001, 'stale'],
    [60_000, 'stale'],
    [60_001, 'gone'],
  ])('after %i ms: %s', (age, expected) => expect(freshness(1000, 1000 + age)).toBe(expected));
});

describe('warnings', () => {
  it.each([
    [89.9, 'fine'],
    [90, 'warning'],
    [97, 'alarm'],
  ])('a disk that is %d %% full is %s', (percent, expected) => expect(diskStrain(percent)).toBe(expected));

  it('says what is wrong, and nothing when nothing is', () => {
    const load = { cpu_percent: 1, memory_used: 15.5 * GB, memory_total: 16 * GB };
    let full = readMachine(report({ load, clock_offset_ms: -61_000 }), 1, null);
    for (let more = 1; more < 6; more++) full = readMachine(report({ load, clock_offset_ms: -61_000 }), 1 + more, full);
    expect(machineWarnings(full)).toEqual([
      'The disk of /farm is 95 % full: 5.0 GB are left.',
      '96 % of the memory are in use.',
      'Its clock is 61 s behind that of the manager.',
    ]);
    expect(machineWarnings(readMachine(report({ state: {} }), 1, null))).toEqual([]);
  });

  it('says that there is no room for new tasks', () => {
    const full = readMachine({ ...report(), no_room: true }, 1, null);
    expect(machineWarnings(full)).toEqual(['The disk of /farm is 95 % full: 5.0 GB are left.', 'It gets no new tasks until there is room on its disks.']);
    expect(machineTroubles(full)).toEqual([]);
  });

  it('a moment of full memory is nothing', () => {
    const load = { cpu_percent: 40, memory_used: 15.5 * GB, memory_total: 16 * GB };
    expect(machineWarnings(readMachine(report({ load, state: {} }), 1, readMachine(report({ state: {} }), 0, null)))).toEqual([]);
  });

  it.each([
    [24, 2, true, undefined, true],
    [23, 2, true, undefined, false],
    [24, 2, false, undefined, false],
    [24, 6, true, undefined, false],
    [24, 2, true, 80, false],
  ])('%d reports with %d %% of the processor, a task: %s, GPU at %s: stuck %s', (count, cpu_percent, working, gpu, stuck) => {
    const gpus = gpu === undefined ? {} : { gpus: [{ name: 'GPU', use_percent: gpu }] };
    const load = { cpu_percent, memory_used: GB, memory_total: 16 * GB, task_cpu_percent: cpu_percent, ...gpus };
    let reading: Reading | null = null;
    for (let at = 0; at < count; at++) reading = readMachine(report({ load, state: {} }), at, reading);
    expect(machineWarnings(reading!, working).some((text) => text.includes('stuck'))).toBe(stuck);
  });

  it('is not taken for stuck when its task has just begun after a rest', () => {
    const resting = { cpu_percent: 1, memory_used: GB, memory_total: 16 * GB };
    const working = { ...resting, task_cpu_percent: 0 };
    const stuck = (reading: Reading): boolean => machineTroubles(reading, true).some((text) => text.includes('stuck'));
    let reading = readMachine(report({ load: resting }), 0, null);
    for (let at = 1; at < 40; at++) reading = readMachine(report({ load: resting }), at, reading);
    for (let at = 0; at < 23; at++) reading = readMachine(report({ load: working }), at, reading);
    expect(stuck(reading)).toBe(false);
    expect(stuck(readMachine(report({ load: working }), 99, reading))).toBe(true);
    expect(stuck(readMachine(report({ load: resting }), 99, reading))).toBe(false);
  });
});

describe('numbers in words', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KB'],
    [10.2 * GB, '10 GB'],
    [1023.9 * GB, '1.0 TB'],
    [-5, '0 B'],
  ])('%d bytes are %s', (count, expected) => expect(bytes(count)).toBe(expected));
  it.each([
    [59, '0 min'],
    [4 * 3600 + 300, '4 h 5 min'],
    [3 * 86_400 + 7200, '3 d 2 h'],
  ])('%i s are %s', (seconds, expected) => expect(uptime(seconds)).toBe(expected));
});

describe('sparkline', () => {
  it('ends at the right edge and stays in its box', () => {
    expect(sparkline([0, 50, 130], 59, 20)).toBe('57.0,20.0 58.0,10.0 59.0,0.0');
    expect(sparkline([], 59, 20)).toBe('');
  });
});
