import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeMetadata, type MetadataInstruction } from './metadata.ts';
import { parseDockerfile } from './parse.ts';
import { emptyState, scopeOf, type StageState } from './state.ts';

function apply(text: string, start: StageState = emptyState): StageState {
  let state = start;
  for (const instruction of parseDockerfile(`FROM scratch\n${text}`).instructions.slice(1)) {
    const change = changeMetadata(state, instruction as MetadataInstruction, scopeOf(state, '\\')); // the tests write no others
    state = { ...state, ...change, config: change.config ?? state.config };
  }
  return state;
}

test('the config is what Docker would write', () => {
  const { config } = apply(`ENV A=1 B="x y"
ENV A=2 C=$A
LABEL a="b c"
EXPOSE 80 5000-5001/udp $A
VOLUME ["/v 1", "/w"]
USER web
STOPSIGNAL SIGINT
SHELL ["/bin/bash", "-c"]
CMD echo $A
HEALTHCHECK CMD ["true"]`);
  assert.deepEqual(config.Env?.slice(1), ['A=2', 'B=x y', 'C=1']);
  assert.deepEqual(config.Labels, { a: 'b c' });
  assert.deepEqual(Object.keys(config.ExposedPorts ?? {}), ['80/tcp', '5000/udp', '5001/udp', '2/tcp']);
  assert.deepEqual(Object.keys(config.Volumes ?? {}), ['/v 1', '/w']);
  assert.deepEqual(config.Cmd, ['/bin/bash', '-c', 'echo $A']);
  assert.deepEqual(config.Healthcheck, { Test: ['CMD', 'true'] });
});

test('ENTRYPOINT forgets an inherited CMD, not one of this stage', () => {
  const inherited: StageState = { ...emptyState, config: { Cmd: ['old'] } };
  assert.equal(apply('ENTRYPOINT ["x"]', inherited).config.Cmd, undefined);
  assert.deepEqual(apply('CMD ["new"]\nENTRYPOINT ["x"]', inherited).config.Cmd, ['new']);
});

test('nonsense is refused', () => {
  assert.throws(() => apply('EXPOSE 99999'), /invalid containerPort: 99999/);
  assert.throws(() => apply('STOPSIGNAL %%%'), /Invalid signal/);
});
