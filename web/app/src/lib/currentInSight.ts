// A strip of links that is wider than the screen shows the current one.
import { watch, type Ref, type WatchSource } from 'vue';

/** Scrolls `strip` sideways so that its link with `aria-current` is in the middle, each time `current` changes. */
export function useCurrentInSight(strip: Readonly<Ref<HTMLElement | null>>, current: WatchSource<unknown>): void {
  watch(
    [strip, current],
    () => {
      const [box, link] = [strip.value, strip.value?.querySelector('[aria-current]')];
      if (!box || !link) return;
      const [outer, inner] = [box.getBoundingClientRect(), link.getBoundingClientRect()];
      box.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
    },
    { flush: 'post', immediate: true },
  );
}
