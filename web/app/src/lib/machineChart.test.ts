import { describe, expect, it } from 'vitest';
import type { FarmTask, MachineSample } from '@/api/types';
import { hasValues, lineInWords, machineChart, taskMarks } from './machineChart';

function sample(second: number, fields: Partial<MachineSample> = {}): MachineSample {
  return {
    at: new Date(second * 1000).toISOString(),
    cpu_percent: second,
    cpu_percent_max: 100,
    memory_used: 1,
    memory_used_max: 1,
    memory_total: 4,
    network_in: 0,
    network_out: 0,
    ...fields,
  };
}

describe('machineChart', () => {
  it('has a hole where the worker was silent, and none where a report or two were lost', () => {
    const chart = machineChart([sample(10), sample(15), sample(30), sample(60)], 'recent');
    expect(chart.times).toEqual([10, 15, 30, 35, 60]);
    expect(chart.cpu).toEqual([10, 15, 30, null, 60]);
    expect(chart.memory).toEqual([25, 25, 25, null, 25]);
  });

  it('knows nothing of what a machine does not have', () => {
    const chart = machineChart([sample(10, { memory_total: 0 })], 'day');
    expect([chart.memory, chart.gpu, chart.disk].map(hasValues)).toEqual([false, false, false]);
    expect(machineChart([], 'month').times).toEqual([]);
  });

  it('is told in words', () => {
    const format = (value: number) => `${value} %`;
    expect(lineInWords('CPU', [10, null, 30], format)).toBe('CPU: 30 % at last, 20 % on average, 30 % at most');
    expect(lineInWords('GPU', [null], format)).toBe('GPU: no data');
  });
});

describe('taskMarks', () => {
  it('are where tasks began and ended within the chart, in order', () => {
    const at = (second: number): string => new Date(second * 1000).toISOString();
    const tasks = [{ task: { started: at(50), ended: at(60) } }, { task: { started: at(5), ended: at(45) } }, { task: { started: at(61) } }, { task: {} }];
    expect(taskMarks(tasks as FarmTask[], 10, 60)).toEqual([
      { at: 45, begins: false },
      { at: 50, begins: true },
      { at: 60, begins: false },
    ]);
  });
});
