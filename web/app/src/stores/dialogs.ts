// Which of the dialogs that belong to no page is open. Anything may open them: a button, a menu, the command palette.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';

export const useDialogs = defineStore('dialogs', () => {
  /** The job that is to be submitted again, or empty. */
  const resubmit = shallowRef('');
  /** Whether old jobs are to be deleted. */
  const cleanUp = shallowRef(false);
  return { resubmit, cleanUp };
});
