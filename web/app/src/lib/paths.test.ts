import { expect, it } from 'vitest';
import { folderOf } from './paths';

it.each([
  ['/mnt/farm/render/000001.png', '/mnt/farm/render'],
  ['S:\\render\\shot 10\\000001.png', 'S:\\render\\shot 10'],
  ['S:/render/000001.png', 'S:/render'],
  ['\\\\server\\share\\000001.png', '\\\\server\\share'],
  ['/000001.png', '/'],
  ['C:\\000001.png', 'C:\\'],
  ['000001.png', ''],
  ['', ''],
])('the folder of %j is %j', (path, folder) => expect(folderOf(path)).toBe(folder));
