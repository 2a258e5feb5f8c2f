// Short names for the wire types, so that no other file spells out `components['schemas']`.
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Job = Schemas['Job'];
export type JobStatus = Schemas['JobStatus'];
export type JobType = Schemas['AvailableJobType'];
export type Task = Schemas['Task'];
export type TaskSummary = Schemas['TaskSummary'];
export type TaskStatus = Schemas['TaskStatus'];
export type FarmTask = Schemas['FarmTask'];
export type Worker = Schemas['Worker'];
export type WorkerSummary = Schemas['WorkerSummary'];
export type WorkerStatus = Schemas['WorkerStatus'];
export type WorkerStatusChange = Schemas['WorkerStatusChangeRequest'];
export type FarmStatus = Schemas['FarmStatus'];
export type Version = Schemas['FlamencoVersion'];
export type ManagerConfiguration = Schemas['ManagerConfiguration'];
export type PathCheck = Schemas['PathCheckResult'];
export type BlenderCheck = Schemas['BlenderPathCheckResult'];

export type JobUpdate = Schemas['EventJobUpdate'];
export type TaskUpdate = Schemas['EventTaskUpdate'];
export type TaskLogUpdate = Schemas['EventTaskLogUpdate'];
export type WorkerUpdate = Schemas['EventWorkerUpdate'];
export type LifeCycle = Schemas['EventLifeCycle'];
export type Subscription = Schemas['SocketIOSubscription'];
export type WorkerTag = Schemas['WorkerTag'];
export type SleepSchedule = Schemas['WorkerSleepSchedule'];
export type MachineDisk = Schemas['MachineDisk'];
export type MachineSpan = Schemas['MachineSpan'];
export type MachineSample = Schemas['MachineSample'];
export type MachineHistory = Schemas['MachineHistory'];
export type WorkerMachine = Schemas['WorkerMachine'];
export type WorkerMachines = Schemas['WorkerMachines'];
export type FarmMachines = Schemas['FarmMachines'];
export type LastRenderedInfo = Schemas['JobLastRenderedImageInfo'];
export type LastRenderedUpdate = Schemas['EventLastRenderedUpdate'];
export type TagUpdate = Schemas['EventWorkerTagUpdate'];
export type EnabledChange = Schemas['WorkerEnabledChange'];
export type DisableTime = Schemas['WorkerDisableTime'];

export type JobFrame = Schemas['JobFrame'];
export type JobFrameState = Schemas['JobFrameState'];
export type JobFrameCounts = Schemas['JobFrameCounts'];
export type JobFrameDetails = Schemas['JobFrameDetails'];
export type JobFrameSummary = Schemas['JobFrameSummary'];
export type JobPreview = Schemas['JobPreview'];
export type FramePlace = Schemas['FramePlace'];
export type FrameAttempt = Schemas['FrameAttempt'];
export type FrameStatistics = Schemas['FrameStatistics'];
export type FrameUpdate = Schemas['EventFrameUpdate'];
export type LatestFrame = Schemas['LatestFrame'];
export type JobTaskCounts = Schemas['JobTaskCounts'];
