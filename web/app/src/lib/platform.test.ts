import { expect, it } from 'vitest';
import { isLocalHost, viewerPlatform } from './platform';

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.0.1.1', true],
  ['[::1]', true],
  ['farm.local', false],
  ['localhost.example.com', false],
  ['192.168.127.1', false],
])('the address %s is only good on this computer: %s', (host, expected) => expect(isLocalHost(host)).toBe(expected));

it.each([
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64)', 'windows'],
  ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)', 'darwin'],
  ['Mozilla/5.0 (X11; Linux x86_64)', 'linux'],
  ['', 'linux'],
])('%s is %s', (agent, expected) => expect(viewerPlatform(agent)).toBe(expected));
