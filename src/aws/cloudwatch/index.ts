export { MetricStore, type MetricId, type MetricSummary } from './metric-store.ts';
export { createCloudWatch, type CloudWatch } from './service.ts';
