import { existsSync } from 'node:fs';
import { clustersOf, layoutOf, rememberedSettings, resolveSettings, type Layout, type Settings } from '#daemon';
import { flag, text, type Command } from './command.ts';

export const env: Command = {
  summary: 'print shell exports that point aws, docker, kubectl and SDKs here: eval "$(dabba env)"',
  usage: '[--data DIR]',
  options: {},
  async run(invocation) {
    const layout = layoutOf(text(invocation, 'data'));
    const settings = resolveSettings({}, rememberedSettings(layout));
    const isDefaultAccount = settings.account === '000000000000';
    const variables = {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${settings.port}`,
      AWS_ACCESS_KEY_ID: settings.rootKey?.accessKeyId ?? (isDefaultAccount ? 'test' : settings.account),
      AWS_SECRET_ACCESS_KEY: settings.rootKey?.secretAccessKey ?? 'test',
      DOCKER_HOST: `unix://${layout.dockerSocket}`,
      ...(await kubeconfig(layout, settings)),
    };
    if (flag(invocation, 'json')) {
      process.stdout.write(`${JSON.stringify(variables, undefined, 2)}\n`);
      return 0;
    }
    const lines = Object.entries(variables).map(
      ([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`,
    );
    // A region the user chose stays; without any, clients would refuse to start. A session token of another cloud would spoil ours.
    lines.push('export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}"', 'unset AWS_SESSION_TOKEN AWS_PROFILE');
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  },
};

/** Where kubectl finds the account's clusters, once there are any; a daemon that is down leaves the file as it was. */
async function kubeconfig(layout: Layout, { account }: Settings): Promise<{ readonly KUBECONFIG?: string }> {
  const clusters = await clustersOf(layout);
  const { writeKubeconfig } = await import('./kubeconfig.ts');
  const isThere = clusters
    ? writeKubeconfig(
        layout.kubeconfig,
        clusters.filter((cluster) => cluster.account === account),
      )
    : existsSync(layout.kubeconfig);
  return isThere ? { KUBECONFIG: layout.kubeconfig } : {};
}
