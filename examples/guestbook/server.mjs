// A guest book: GET / shows it, POST /sign adds a line, GET /api tells who answers. State lives in memory, one book per copy.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';

const port = Number(process.env.PORT ?? 8080);
const page = readFileSync(new URL('page.html', import.meta.url), 'utf8');
const startedAt = new Date();
const entries = [];

const addresses = () =>
  Object.values(networkInterfaces())
    .flat()
    .filter((address) => address.family === 'IPv4' && !address.internal)
    .map((address) => address.address);
const escape = (text) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const routes = {
  'GET /': () => [200, 'text/html; charset=utf-8', render()],
  'GET /health': () => [200, 'text/plain', 'ok\n'],
  'GET /api': () => [
    200,
    'application/json',
    `${JSON.stringify({ greeting: process.env.GREETING, host: hostname(), addresses: addresses(), startedAt, entries })}\n`,
  ],
  'POST /sign': (body) => {
    const form = new URLSearchParams(body);
    const entry = {
      name: (form.get('name') || 'somebody').slice(0, 40),
      words: (form.get('words') ?? '').slice(0, 200),
      at: new Date(),
    };
    entries.unshift(entry);
    entries.length = Math.min(entries.length, 50);
    console.log(`signed by ${entry.name}`);
    return [303, 'text/plain', 'thank you\n', { location: '/' }];
  },
};

function render() {
  const lines = entries.map(
    ({ name, words, at }) => `<li><b>${escape(name)}</b> ${escape(words)} <time>${at.toISOString()}</time></li>`,
  );
  return page
    .replaceAll('{{greeting}}', escape(process.env.GREETING ?? ''))
    .replaceAll('{{host}}', escape(hostname()))
    .replaceAll('{{addresses}}', escape(addresses().join(', ')))
    .replaceAll('{{entries}}', lines.join('\n') || '<li class="empty">Nobody has signed yet.</li>');
}

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    body += chunk;
    if (body.length > 10_000) request.destroy();
  });
  request.on('end', () => {
    const { pathname } = new URL(request.url, 'http://guestbook');
    const [status, type, text, headers] = routes[`${request.method} ${pathname}`]?.(body) ?? [
      404,
      'text/plain',
      'not found\n',
    ];
    console.log(`${request.method} ${pathname} ${status} ${request.socket.remoteAddress}`);
    response.writeHead(status, { 'content-type': type, ...headers }).end(text);
  });
});
server.listen(port, () => console.log(`listening on ${port}`));
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close(() => process.exit(0)));
