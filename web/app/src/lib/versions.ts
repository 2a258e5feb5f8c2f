// Whether a worker runs the same version as its manager.
import type { Version } from '@/api/types';

/** What to say about a worker of another version than the manager's; empty when both are the same, or not known. */
export function versionMismatch(worker: string, manager: Version | null): string {
  const [own, short, long] = [worker, manager?.shortversion ?? '', manager?.version ?? ''].map((version) => version.trim());
  if (!own || !(short || long) || own === short || own === long) return '';
  return `The worker runs ${own}, and the manager runs ${short || long}. They work together, but one of them may lack what the other offers.`;
}
