// Access to the live feed from components: what is subscribed in a scope ends with it.
import { io } from 'socket.io-client';
import { onScopeDispose, watch, type WatchSource } from 'vue';
import { LiveFeed, type FeedEvents, type Topic } from './feed';

let feed: LiveFeed | undefined;

/** The one connection of this page, made when first asked for. */
export function liveFeed(): LiveFeed {
  feed ??= new LiveFeed(
    io({ path: '/socket.io/', reconnectionDelay: 250, reconnectionDelayMax: 30_000, randomizationFactor: 0.5 }),
  );
  return feed;
}

/** Listens to one kind of event for as long as the calling scope lives. */
export function useEvent<E extends keyof FeedEvents>(event: E, handler: (payload: FeedEvents[E]) => void): void {
  onScopeDispose(liveFeed().on(event, handler));
}

/**
 * Holds a subscription to one object for as long as the scope lives, and follows `uuid` from object to object. `read` gets
 * the uuid whenever its data has to be read (again).
 */
export function useSubscription(topic: Topic, uuid: WatchSource<string>, read: (uuid: string) => void): void {
  let end = (): void => {};
  watch(
    uuid,
    (now) => {
      end();
      end = now === '' ? () => {} : liveFeed().subscribe(topic, now, () => read(now));
    },
    { immediate: true },
  );
  onScopeDispose(() => end());
}
