export { runScheduler, type SchedulerParts } from './scheduler.ts';
