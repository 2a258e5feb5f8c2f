// Messages on the desktop, for who asked for them and looks at something else.
import { computed, shallowRef } from 'vue';
import { remembered } from './remembered';

/** `impossible`: browsers allow it only for pages that came over HTTPS, or from this machine. */
export type DesktopState = 'on' | 'off' | 'refused' | 'impossible';

export function desktopState(permission: NotificationPermission | undefined, wanted: boolean): DesktopState {
  if (permission === undefined) return 'impossible';
  if (permission === 'denied') return 'refused';
  return wanted && permission === 'granted' ? 'on' : 'off';
}

const wanted = remembered('desktop-notices', 'off');
const permission = (): NotificationPermission | undefined => (globalThis.isSecureContext && 'Notification' in globalThis ? Notification.permission : undefined);

const MOST_JOBS = 200;
const stored = remembered('desktop-jobs', '');
/** Ids of the jobs that somebody wants to hear of, whatever is wanted of the others. */
const jobs = computed(() => new Set(stored.value.split(' ').filter(Boolean)));

/** Raised when the answer of the browser may be another one. */
const asked = shallowRef(0);

export const desktopNotices = computed(() => (void asked.value, desktopState(permission(), wanted.value === 'on')));

/** Turns them on, after asking the person who sits there, or off. */
export async function wantDesktopNotices(on: boolean): Promise<void> {
  wanted.value = 'off';
  if (on && permission() !== undefined && (await Notification.requestPermission()) === 'granted') wanted.value = 'on';
  asked.value++;
}

export function isJobWatched(id: string): boolean {
  return jobs.value.has(id);
}

/** Tells on the desktop how a job ends, after asking the person who sits there; or no more. */
export async function watchJob(id: string, on: boolean): Promise<void> {
  const others = [...jobs.value].filter((one) => one !== id);
  const granted = on && permission() !== undefined && (await Notification.requestPermission()) === 'granted';
  stored.value = (granted ? [...others, id] : others).slice(-MOST_JOBS).join(' ');
  asked.value++;
}

/**
 * Shows a message, unless the page is looked at anyway. `open` runs when it is clicked. `about` is the job that has ended;
 * what was wanted of it is done then.
 */
export function tellOnDesktop(text: string, open: () => void, about: string | readonly string[] = ''): void {
  const job = String(about);
  const isWatched = jobs.value.has(job);
  if (isWatched) stored.value = [...jobs.value].filter((one) => one !== job).join(' ');
  if (!document.hidden || !(wanted.value === 'on' || isWatched) || desktopState(permission(), true) !== 'on') return;
  const notice = new Notification(document.title, { body: text, icon: '/app/favicon.png' });
  notice.onclick = () => {
    window.focus();
    notice.close();
    open();
  };
}
