// The operating system of whoever looks at the page, as the manager's variables name it.

/** `windows`, `darwin` or `linux`; paths are shown as this platform sees them. */
export function viewerPlatform(agent: string = navigator.userAgent): string {
  if (agent.includes('Windows')) return 'windows';
  return agent.includes('Mac OS') || agent.includes('Macintosh') ? 'darwin' : 'linux';
}
