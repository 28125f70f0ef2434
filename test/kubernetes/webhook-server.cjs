// A webhook for admission and conversion that runs in a pod: what it does with a request is told by its path, as with the one of upstream's own tests.
const { readFileSync } = require('node:fs');
const { createServer } = require('node:https');
const { setTimeout: pause } = require('node:timers/promises');

const allow = { allowed: true };
const deny = (message) => ({ allowed: false, status: { message, code: 403 } });
const patch = (...operations) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
const add = (path, value) => ({ op: 'add', path, value });
/** Data go from stage to stage, one webhook after another. */
const stages = ({ object }) => {
  if (object.data?.['mutation-start'] !== 'yes') return allow;
  const next = object.data['mutation-stage-1'] === 'yes' ? 'mutation-stage-2' : 'mutation-stage-1';
  return patch(add(`/data/${next}`, 'yes'));
};

/** Version 1 has host and port in one word, version 2 in two. */
const convert = ({ desiredAPIVersion, objects }) => ({
  result: { status: 'Success' },
  convertedObjects: objects.map((object) => {
    if (object.apiVersion === desiredAPIVersion) return object;
    const { hostPort = '', host, port, ...rest } = object;
    const converted = { ...rest, apiVersion: desiredAPIVersion };
    if (desiredAPIVersion.endsWith('/v1')) return { ...converted, hostPort: `${host}:${port}` };
    const [first, second] = hostPort.split(':');
    return { ...converted, host: first, port: second };
  }),
});

const answers = {
  '/crdconvert': convert,
  '/always-deny': () => deny('this webhook denies all requests'),
  '/always-allow-delay-5s': async () => {
    await pause(5000);
    return allow;
  },
  '/add-label': ({ object }) =>
    patch(
      object.metadata.labels
        ? add('/metadata/labels/added-label', 'yes')
        : add('/metadata/labels', { 'added-label': 'yes' }),
    ),
  '/pods': ({ object }) =>
    object.spec.containers.some(({ name }) => name.includes('webhook-disallow'))
      ? deny('the pod contains unwanted container name')
      : allow,
  '/pods/attach': ({ name }) => deny(`attaching to pod '${name}' is not allowed`),
  '/mutating-pods': () =>
    patch(add('/spec/initContainers', [{ name: 'webhook-added-init-container', image: 'webhook-added-image' }])),
  '/data': ({ object, oldObject, operation }) =>
    (operation === 'DELETE' ? oldObject : object).data?.['webhook-e2e-test'] === 'webhook-disallow'
      ? deny('the object contains unwanted key and value')
      : allow,
  '/stages': stages,
};

async function reviewed(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { apiVersion, kind, request: asked } = JSON.parse(Buffer.concat(chunks));
  const answer = await answers[new URL(request.url, 'https://x').pathname](asked);
  return JSON.stringify({ apiVersion, kind, response: { uid: asked.uid, ...answer } });
}

const tls = (name) => readFileSync(`/tls/tls.${name}`);
createServer({ cert: tls('crt'), key: tls('key') }, async (request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(request.url === '/ready' ? '{}' : await reviewed(request));
}).listen(8443);
