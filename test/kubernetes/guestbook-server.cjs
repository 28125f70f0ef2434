// A guest book in three tiers, one program: `primary` takes what is written, replicas register with it and are told, a `frontend` writes to the one and reads from the others.
const { createServer } = require('node:http');
const { networkInterfaces } = require('node:os');
const { setTimeout: pause } = require('node:timers/promises');

const role = process.argv[2];
const data = new Map();
const replicas = new Set();
const ask = async (host, path, query) => {
  const answer = await fetch(`http://${host}:6379${path}?${new URLSearchParams(query)}`);
  return await answer.text();
};

const routes = {
  '/get': ({ key }) => JSON.stringify({ data: data.get(key) ?? '' }),
  '/set': async ({ key, value }) => {
    data.set(key, value);
    await Promise.all(Array.from(replicas, (host) => ask(host, '/set', { key, value })));
    return 'Updated';
  },
  '/register': ({ host }) => {
    replicas.add(host);
    return JSON.stringify([...data]);
  },
  '/guestbook': ({ cmd, ...query }) => ask(cmd === 'set' ? 'agnhost-primary' : 'agnhost-replica', `/${cmd}`, query),
};

async function register() {
  const [{ address }] = networkInterfaces().eth0;
  for (;;)
    try {
      const known = JSON.parse(await ask('agnhost-primary', '/register', { host: address }));
      for (const [key, value] of known) data.set(key, value);
      return;
    } catch {
      await pause(200); // the primary is not there yet
    }
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  response.end((await routes[pathname]?.(Object.fromEntries(searchParams))) ?? 'ok');
});
const begin = role === 'replica' ? register() : Promise.resolve();
void begin.then(() => server.listen(role === 'frontend' ? 8080 : 6379));
