export { callMetrics } from './call-metrics.ts';
export { MetricStore, type MetricId, type MetricSummary } from './metric-store.ts';
export { createCloudWatch } from './service.ts';
