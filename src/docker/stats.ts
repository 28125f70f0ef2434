import type { BlockCount, Container, ContainerStats } from '#engine';
import type { Api } from './api.ts';
import { findContainer } from './containers.ts';
import { JsonLines, queryFlag, type Exchange } from './exchange.ts';

/** dockerd's: counters announce nothing, so they are read again each second. */
const intervalMs = 1000;

/** GET /containers/{id}/stats: a sample each second; with `stream=false` one that has another before it, unless `one-shot`. */
export async function containerStats(api: Api, exchange: Exchange): Promise<void> {
  const container = await findContainer(api, exchange);
  const { clock, engine } = api;
  const isStream = (exchange.query.get('stream') ?? '1') === '' || queryStream(exchange);
  const read = () => engine.containers.stats(container.id);
  const pause = () => clock.sleep(intervalMs, exchange.signal);
  const lines = new JsonLines(exchange);
  const isOneShot = !isStream && queryFlag(exchange, 'one-shot');
  let before: ContainerStats | undefined;
  let sample = await read();
  if (!isStream && !isOneShot && sample) {
    await pause();
    [before, sample] = [sample, await read()];
  }
  for (;;) {
    await lines.send(statsJson(container, sample, before));
    if (!isStream) break;
    await pause();
    if (!(await engine.containers.find(container.id))) break;
    [before, sample] = [sample, await read()];
  }
  lines.end();
}

const queryStream = (exchange: Exchange) => !exchange.query.has('stream') || queryFlag(exchange, 'stream');

const zeroTime = '0001-01-01T00:00:00Z';
const timeOf = (sample: ContainerStats | undefined) => (sample ? new Date(sample.at).toISOString() : zeroTime);

/** Docker's shape. A container that does not run has everything, at zero. */
export function statsJson(
  { id, name }: Pick<Container, 'id' | 'name'>,
  sample?: ContainerStats,
  before?: ContainerStats,
): object {
  return {
    id,
    name: `/${name}`,
    read: timeOf(sample),
    preread: timeOf(before),
    num_procs: 0,
    storage_stats: {},
    pids_stats: sample
      ? { current: sample.pids.current, ...(sample.pids.limit !== undefined && { limit: sample.pids.limit }) }
      : {},
    blkio_stats: {
      io_service_bytes_recursive: sample ? sample.blockBytes.map(blockJson) : null,
      io_serviced_recursive: sample ? sample.blockOperations.map(blockJson) : null,
      io_queue_recursive: null,
      io_service_time_recursive: null,
      io_wait_time_recursive: null,
      io_merged_recursive: null,
      io_time_recursive: null,
      sectors_recursive: null,
    },
    cpu_stats: cpuJson(sample),
    precpu_stats: cpuJson(before),
    memory_stats: sample ? memoryJson(sample.memory) : {},
    ...(sample?.networks && { networks: networksJson(sample.networks) }),
  };
}

function cpuJson(sample: ContainerStats | undefined): object {
  const cpu = sample?.cpu;
  return {
    cpu_usage: {
      total_usage: cpu?.usageNs ?? 0,
      ...(cpu?.perCpuNs && { percpu_usage: cpu.perCpuNs }),
      usage_in_kernelmode: cpu?.systemNs ?? 0,
      usage_in_usermode: cpu?.userNs ?? 0,
    },
    ...(cpu && { system_cpu_usage: cpu.machineNs, online_cpus: cpu.onlineCpus }),
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: cpu?.throttledNs ?? 0,
    },
  };
}

function memoryJson(memory: ContainerStats['memory']): object {
  return {
    usage: memory.usageBytes,
    ...(memory.highestUsageBytes !== undefined && { max_usage: memory.highestUsageBytes }),
    ...(memory.failures !== undefined && { failcnt: memory.failures }),
    stats: memory.details,
    limit: memory.limitBytes,
  };
}

function blockJson({ major, minor, operation, count }: BlockCount): object {
  return { major, minor, op: operation, value: count };
}

function networksJson(networks: NonNullable<ContainerStats['networks']>): object {
  return Object.fromEntries(
    Object.entries(networks).map(([name, counts]) => [
      name,
      {
        rx_bytes: counts.receivedBytes,
        rx_packets: counts.receivedPackets,
        rx_errors: counts.receiveErrors,
        rx_dropped: counts.receiveDrops,
        tx_bytes: counts.sentBytes,
        tx_packets: counts.sentPackets,
        tx_errors: counts.sendErrors,
        tx_dropped: counts.sendDrops,
      },
    ]),
  );
}
