// Where somebody looks at the page: on which operating system, and whether on the computer of the manager.

/** Whether an address with this host leads every computer to itself. */
export function isLocalHost(host: string): boolean {
  return /^(?:localhost|127\..*|\[::1\])$/.test(host);
}

/** `windows`, `darwin` or `linux`; paths are shown as this platform sees them. */
export function viewerPlatform(agent: string = navigator.userAgent): string {
  if (agent.includes('Windows')) return 'windows';
  return agent.includes('Mac OS') || agent.includes('Macintosh') ? 'darwin' : 'linux';
}
