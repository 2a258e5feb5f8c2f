import { expect, it } from 'vitest';
import { imageAddress, jobOf } from './lastRendered';

const info = { base: '/job-files/job-2f1a/2f1a6b0e-7c51-4a52-9d0c-5b8f5f7b2c11', suffixes: ['last-rendered.jpg', 'last-rendered-small.jpg'] };

it('finds the image of a size, else the largest', () => {
  expect(imageAddress(info, '-small', 7)).toBe(`${info.base}/last-rendered-small.jpg?v=7`);
  expect(imageAddress(info, '', 7)).toBe(`${info.base}/last-rendered.jpg?v=7`);
  expect(imageAddress(info, '-huge', 7)).toBe(`${info.base}/last-rendered.jpg?v=7`);
});

it('finds the job', () => {
  expect(jobOf(info)).toBe('2f1a6b0e-7c51-4a52-9d0c-5b8f5f7b2c11');
  expect(jobOf({ base: '/elsewhere', suffixes: [] })).toBe('');
});
