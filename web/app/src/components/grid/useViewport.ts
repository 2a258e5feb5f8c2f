// Which rows of a scrolled grid are on the screen. The header sticks to the top of the same scrolling element.
import { computed, onMounted, onScopeDispose, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue';
import { HEADER_HEIGHT, NARROW, NARROW_ROW_HEIGHT, ROW_HEIGHT } from './columns';

export interface Viewport {
  readonly width: ShallowRef<number>;
  readonly narrow: ComputedRef<boolean>;
  readonly rowHeight: ComputedRef<number>;
  /** Index of the first drawn row. */
  readonly first: ComputedRef<number>;
  /** Number of rows that are drawn at most; also the number of row elements that are used again and again. */
  readonly pool: ComputedRef<number>;
  /** Rows that fit on the screen, for Page Up and Page Down. */
  readonly page: ComputedRef<number>;
  onScroll(): void;
  reveal(index: number): void;
}

/** Rows drawn above and below the screen, so that a quick scroll does not show a gap. */
const MARGIN = 8;

export function useViewport(scroller: Readonly<Ref<HTMLElement | null>>): Viewport {
  const width = shallowRef(1200);
  const height = shallowRef(600);
  const top = shallowRef(0);
  const narrow = computed(() => width.value < NARROW);
  const rowHeight = computed(() => (narrow.value ? NARROW_ROW_HEIGHT : ROW_HEIGHT));
  const page = computed(() => Math.max(1, Math.floor(height.value / rowHeight.value)));
  const pool = computed(() => page.value + 1 + 2 * MARGIN);
  const first = computed(() => Math.max(0, Math.floor(top.value / rowHeight.value) - MARGIN));

  function onScroll(): void {
    top.value = scroller.value?.scrollTop ?? 0;
  }

  function reveal(index: number): void {
    const element = scroller.value;
    if (!element) return;
    const above = index * rowHeight.value;
    const below = above + rowHeight.value;
    if (above < element.scrollTop) element.scrollTop = above;
    else if (below > element.scrollTop + height.value) element.scrollTop = below - height.value;
    onScroll();
  }

  onMounted(() => {
    const element = scroller.value;
    if (!element) return;
    const measure = (): void => {
      // A hidden grid has no size; it keeps the one it had.
      if (element.clientWidth === 0) return;
      width.value = element.clientWidth;
      height.value = element.clientHeight - (narrow.value ? 0 : HEADER_HEIGHT);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    onScopeDispose(() => observer.disconnect());
  });

  return { width, narrow, rowHeight, first, pool, page, onScroll, reveal };
}
