import type { Kubelet } from '../kubelet.ts';
import type { Route } from './route.ts';

/** What a kubelet says of itself. */
export function statusRoutes(kubelet: Kubelet): readonly Route[] {
  return [
    {
      kind: 'answer',
      path: /^\/healthz$/,
      handle: async ({ response }) => {
        response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok');
      },
    },
    {
      kind: 'answer',
      path: /^\/pods\/?$/,
      handle: async ({ response }) => {
        const items = kubelet.list().map(({ pod }) => pod);
        const body = { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      },
    },
  ];
}
