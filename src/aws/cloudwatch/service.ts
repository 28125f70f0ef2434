import type { CallObserver } from '../edge/index.ts';
import { AwsError } from '../errors.ts';
import { page } from '../page.ts';
import { defineService, type CallContext, type Handlers, type ServiceDefinition } from '../service.ts';
import { callMetrics } from './call-metrics.ts';
import { MetricStore, type MetricId, type MetricSummary } from './metric-store.ts';

type CloudWatchHandlers = Handlers<typeof import('@aws-sdk/client-cloudwatch')>;
type WireDimension = { readonly Name?: string | undefined; readonly Value?: string | undefined };

const MAX_DATAPOINTS = 1440;
const PAGE_SIZE = 500;

export interface CloudWatch extends CallObserver {
  readonly definition: ServiceDefinition;
  /** For measurements of dabba's own. */
  readonly metrics: MetricStore;
}

/** CloudWatch with a metric store of its own, into which the edge's calls are counted. */
export function createCloudWatch(): CloudWatch {
  const metrics = new MetricStore();
  return { definition: cloudWatchService(metrics), metrics, ...callMetrics(metrics) };
}

/** CloudWatch: reading the metrics that dabba measures itself. Custom metrics, alarms and expressions are not built. */
function cloudWatchService(metrics: MetricStore): ServiceDefinition {
  return defineService<typeof import('@aws-sdk/client-cloudwatch')>({
    name: 'cloudwatch',
    signingNames: ['monitoring'],
    eventSource: 'monitoring.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-cloudwatch'),
    dataOperations: ['GetMetricData'],
    handlers: {
      ListMetrics: listMetrics(metrics),
      GetMetricStatistics: getMetricStatistics(metrics),
      GetMetricData: getMetricData(metrics),
    },
  });
}

function listMetrics(metrics: MetricStore): NonNullable<CloudWatchHandlers['ListMetrics']> {
  return (input, { account, region }) => {
    const isWanted = (id: MetricId) =>
      (input.Namespace === undefined || id.namespace === input.Namespace) &&
      (input.MetricName === undefined || id.name === input.MetricName) &&
      (input.Dimensions ?? []).every(({ Name: name = '', Value: value }) =>
        value === undefined ? name in id.dimensions : id.dimensions[name] === value,
      );
    const keyOf = (id: MetricId) => JSON.stringify([id.namespace, id.name, id.dimensions]);
    const rows = metrics
      .list(account, region)
      .filter(isWanted)
      .sort((first, second) => (keyOf(first) < keyOf(second) ? -1 : 1));
    const { items, nextToken } = page(rows, {
      token: input.NextToken,
      limit: PAGE_SIZE,
      key: keyOf,
      badTokenCode: 'InvalidParameterValueException',
    });
    return {
      Metrics: items.map((id) => ({
        Namespace: id.namespace,
        MetricName: id.name,
        Dimensions: Object.entries(id.dimensions).map(([Name, Value]) => ({ Name, Value })),
      })),
      ...(nextToken !== undefined && { NextToken: nextToken }),
    };
  };
}

function getMetricStatistics(metrics: MetricStore): NonNullable<CloudWatchHandlers['GetMetricStatistics']> {
  return (input, context) => {
    const range = rangeOf(input.StartTime!, input.EndTime!, input.Period!);
    if (input.ExtendedStatistics?.length) throw unsupported('percentiles');
    const id = idOf(context, { ...input, Dimensions: input.Dimensions });
    const statistics = input.Statistics ?? [];
    if (!statistics.length)
      throw new AwsError('MissingRequiredParameterException', 'Statistics must be given.', { status: 400 });
    return {
      Label: input.MetricName,
      Datapoints: metrics.read(id, range).map(({ at, summary }) => ({
        Timestamp: new Date(at),
        Unit: 'None' as const,
        ...Object.fromEntries(statistics.map((statistic) => [statistic, valueOf(summary, statistic)])),
      })),
    };
  };
}

function getMetricData(metrics: MetricStore): NonNullable<CloudWatchHandlers['GetMetricData']> {
  return (input, context) => {
    const isNewestFirst = input.ScanBy !== 'TimestampAscending';
    const results = input.MetricDataQueries!.map((query) => {
      const { MetricStat: stat } = query;
      if (!stat) throw unsupported('expressions');
      const range = rangeOf(input.StartTime!, input.EndTime!, stat.Period!);
      const points = metrics.read(idOf(context, stat.Metric ?? {}), range);
      if (isNewestFirst) points.reverse();
      return {
        isReturned: query.ReturnData !== false,
        Id: query.Id,
        Label: query.Label ?? stat.Metric?.MetricName,
        Timestamps: points.map(({ at }) => new Date(at)),
        Values: points.map(({ summary }) => valueOf(summary, stat.Stat ?? '')),
        StatusCode: 'Complete' as const,
      };
    });
    return {
      MetricDataResults: results
        .filter(({ isReturned }) => isReturned)
        .map(({ isReturned: _isReturned, ...result }) => result),
      Messages: [],
    };
  };
}

function idOf(
  { account, region }: CallContext,
  metric: {
    Namespace?: string | undefined;
    MetricName?: string | undefined;
    Dimensions?: readonly WireDimension[] | undefined;
  },
): MetricId {
  return {
    account,
    region,
    namespace: metric.Namespace ?? '',
    name: metric.MetricName ?? '',
    dimensions: Object.fromEntries((metric.Dimensions ?? []).map(({ Name = '', Value = '' }) => [Name, Value])),
  };
}

/** Whole periods; CloudWatch rounds the start down. */
function rangeOf(start: Date, end: Date, periodSeconds: number) {
  if (periodSeconds < 60 || periodSeconds % 60)
    throw invalid(`The parameter Period must be a multiple of 60, not ${periodSeconds}.`);
  const periodMs = periodSeconds * 1000;
  const from = Math.floor(start.getTime() / periodMs) * periodMs;
  const to = end.getTime();
  if (start.getTime() >= to) throw invalid('The parameter StartTime must be less than the parameter EndTime.');
  if ((to - from) / periodMs > MAX_DATAPOINTS)
    throw new AwsError(
      'InvalidParameterCombinationException',
      `You have requested up to ${Math.ceil((to - from) / periodMs)} datapoints, which exceeds the limit of ${MAX_DATAPOINTS}.`,
    );
  return { from, to, periodMs };
}

function valueOf(summary: MetricSummary, statistic: string): number {
  switch (statistic) {
    case 'Sum':
      return summary.sum;
    case 'SampleCount':
      return summary.count;
    case 'Average':
      return summary.sum / summary.count;
    case 'Minimum':
      return summary.minimum;
    case 'Maximum':
      return summary.maximum;
    default:
      throw unsupported(`the statistic "${statistic}"`);
  }
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterValueException', message);
}

function unsupported(what: string): AwsError {
  return new AwsError('UnsupportedOperation', `dabba does not evaluate ${what} of metrics yet.`, { status: 501 });
}
