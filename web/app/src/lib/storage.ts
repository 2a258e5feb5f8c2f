// How the files of jobs get to the workers, in words.
import type { components } from '@/api/schema.gen';

type Configuration = components['schemas']['ManagerConfiguration'];

/** Where the files of jobs come to lie. */
export function howFilesArrive(manager: Configuration): string {
  if (manager.isFirstRun) return `Nobody has set up the shared storage yet; until then it is ${manager.storageLocation}.`;
  return manager.shamanEnabled
    ? `Files are sent through the Shaman file store in ${manager.storageLocation}.`
    : `Files are copied to ${manager.storageLocation}; the Shaman file store is off.`;
}

/** What happens to the checkout of a job when the job is deleted. */
export function checkoutFate(isErased: boolean): string {
  return isErased ? '(erased with the job)' : '(stays when the job is deleted: the Shaman file store is off)';
}
