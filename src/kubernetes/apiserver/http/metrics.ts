import type { ApiParts } from '../parts.ts';
import type { Exchange } from './exchange.ts';
import { sendBytes } from './respond.ts';

/** What is counted of the requests of a cluster, by verb, resource and code. */
export class RequestCounts {
  readonly #counts = new Map<string, number>();
  inFlight = 0;

  add(labels: { readonly verb: string; readonly resource: string; readonly code: number }): void {
    const key = `verb="${labels.verb.toUpperCase()}",resource="${labels.resource}",code="${labels.code}"`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Prometheus' text form. */
  lines(): readonly string[] {
    return [
      '# HELP apiserver_request_total Requests by verb, resource and code.',
      '# TYPE apiserver_request_total counter',
      ...[...this.#counts].map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`),
      '# HELP apiserver_current_inflight_requests Requests being served.',
      '# TYPE apiserver_current_inflight_requests gauge',
      `apiserver_current_inflight_requests ${this.inFlight}`,
    ];
  }
}

export function serveMetrics({ counts, feed, flowControl }: ApiParts, exchange: Exchange): void {
  const objects = feed
    .sizes()
    .map(({ resource, count }) => `apiserver_storage_objects{resource="${resource}"} ${count}`);
  const lines = [
    ...counts.lines(),
    ...flowControl.lines(),
    '# HELP apiserver_storage_objects Objects by resource, of those somebody has read.',
    '# TYPE apiserver_storage_objects gauge',
    ...objects,
  ];
  sendBytes(exchange, Buffer.from(`${lines.join('\n')}\n`), {
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  });
}
