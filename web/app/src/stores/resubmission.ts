// A job that is to be submitted once more: what it was made of, its job type as it is now, and the way to the manager.
import { computed, shallowRef, type ComputedRef, type ShallowRef } from 'vue';
import { api, take, takeBody, toRequestError, type RequestError } from '@/api/client';
import type { JobType, SubmittedJob } from '@/api/types';
import { fieldOf, formFields, jobToSend, type FormField, type Order } from '@/lib/resubmission';
import { useReading } from './reading';

/** What came of it: the new job, or what is wrong and in which field, if that is known. */
export type Sent = { readonly job: string } | { readonly field: string; readonly message: string; readonly outdated: boolean };

export interface Resubmission {
  /** What the job was made of; null until it was read. */
  readonly old: ShallowRef<SubmittedJob | null>;
  /** Whether that is what was submitted, and not what the script of the job type left of it. */
  readonly asSubmitted: ShallowRef<boolean>;
  readonly jobType: ShallowRef<JobType | null>;
  readonly fields: ComputedRef<FormField[]>;
  /** Why it cannot be submitted again; null while nothing speaks against it. */
  readonly error: ShallowRef<RequestError | null>;
  /** Why there is no job type to submit it with; empty when there is. */
  readonly typeProblem: ShallowRef<string>;
  read(): Promise<void>;
  send(order: Order): Promise<Sent>;
}

const OUTDATED = 412;

export function useResubmission(jobId: string): Resubmission {
  const old = shallowRef<SubmittedJob | null>(null);
  const asSubmitted = shallowRef(true);
  const jobType = shallowRef<JobType | null>(null);
  const typeProblem = shallowRef('');
  const fields = computed(() => (jobType.value ? formFields(jobType.value) : []));

  const reading = useReading(async (wanted) => {
    const params = { path: { job_id: jobId } };
    const found = await takeBody(api.GET('/api/v3/jobs/{job_id}/submission', { params }));
    const typeName = found.submission.type;
    let problem = '';
    const read = await takeBody(api.GET('/api/v3/jobs/type/{typeName}', { params: { path: { typeName } } })).catch((cause: unknown) => {
      const error = toRequestError(cause);
      if (error.unreachable) throw error;
      problem = error.status === 404 ? `The job type “${typeName}” is gone, so that no job of it can be submitted. Put its script back, and try again.` : error.message;
      return null;
    });
    if (!wanted()) return;
    [old.value, asSubmitted.value, jobType.value, typeProblem.value] = [found.submission, found.as_submitted, read, problem];
  });

  async function send(order: Order): Promise<Sent> {
    if (!old.value || !jobType.value) return { field: '', message: 'The job is still being read.', outdated: false };
    const body = jobToSend(old.value, jobId, jobType.value, order);
    try {
      await take(api.POST('/api/v3/jobs/check', { body }));
      return { job: (await takeBody(api.POST('/api/v3/jobs', { body }))).id };
    } catch (cause) {
      const { message, status } = toRequestError(cause);
      const outdated = status === OUTDATED;
      return { field: outdated ? '' : fieldOf(message, fields.value, order.values), message, outdated };
    }
  }

  return { old, asSubmitted, jobType, fields, error: reading.error, typeProblem, read: reading.read, send };
}
