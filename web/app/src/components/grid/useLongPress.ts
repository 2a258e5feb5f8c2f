// A finger that rests on a row.
import { onScopeDispose } from 'vue';

/** How long, in milliseconds, and how far it may slip, in pixels. */
const REST = 450;
const SLIP = 10;

export interface LongPress {
  /** Whether the last press was one of a finger. */
  isTouch(): boolean;
  /** Whether the click that comes now ends a long press, and means nothing more. True once for each. */
  endsPress(): boolean;
  onDown(event: PointerEvent): void;
  onMove(event: PointerEvent): void;
  onEnd(): void;
  onMenu(event: Event): void;
}

/** Calls `action` with where the finger went down, when it has rested there. */
export function useLongPress(action: (down: PointerEvent) => void): LongPress {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [touch, pressed] = [false, false];
  let [x, y] = [0, 0];
  const onEnd = (): void => clearTimeout(timer);
  onScopeDispose(onEnd);
  return {
    isTouch: () => touch,
    endsPress: () => {
      const was = pressed;
      pressed = false;
      return was;
    },
    onDown: (event) => {
      onEnd();
      [touch, pressed, x, y] = [event.pointerType === 'touch', false, event.clientX, event.clientY];
      if (!touch) return;
      timer = setTimeout(() => {
        pressed = true;
        action(event);
      }, REST);
    },
    onMove: (event) => {
      if (Math.hypot(event.clientX - x, event.clientY - y) > SLIP) onEnd();
    },
    onEnd,
    // The browser's own menu of a long press would take the finger away.
    onMenu: (event) => {
      if (touch) event.preventDefault();
    },
  };
}
