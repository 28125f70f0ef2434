import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Dabba, Outcome } from './dabba.ts';
import { eventually } from './machine.ts';

/** Why suites that drive kubectl or helm are passed over here; false where they run. */
export const noKubectl: string | false =
  process.arch !== 'x64' && 'kubectl and helm come with this project for x86_64 alone';

/** A cluster of EKS with two nodes, and kubectl pointed at it: one for many tests, each in a namespace of its own. */
export class Cluster {
  readonly kubeconfig: string;
  readonly #dabba: Dabba;
  readonly #name: string;

  private constructor(dabba: Dabba, name: string) {
    this.#dabba = dabba;
    this.#name = name;
    this.kubeconfig = join(dabba.work, `${name}.kubeconfig`);
  }

  /** Makes it with the aws command line and waits until both nodes are ready. */
  static async create(dabba: Dabba, name: string, instanceType = 't3.small'): Promise<Cluster> {
    const cluster = new Cluster(dabba, name);
    const aws = async (...args: string[]) => await dabba.aws(...args);
    const services = ['eks.amazonaws.com', 'ec2.amazonaws.com'];
    const role = await dabba.role(name, { Principal: { Service: services }, Action: 'sts:AssumeRole' });
    const subnets = (await aws('ec2', 'describe-subnets', '--query', 'Subnets[].SubnetId')).split(/\s+/);
    const network = `subnetIds=${subnets.join(',')}`;
    await aws('eks', 'create-cluster', '--name', name, '--role-arn', role, '--resources-vpc-config', network);
    await cluster.is('ACTIVE');
    const group = ['--cluster-name', name, '--nodegroup-name', 'ng', '--node-role', role, '--subnets', ...subnets];
    const size = 'minSize=1,maxSize=3,desiredSize=2';
    await aws('eks', 'create-nodegroup', ...group, '--instance-types', instanceType, '--scaling-config', size);
    await aws('eks', 'update-kubeconfig', '--name', name, '--kubeconfig', cluster.kubeconfig);
    await eventually('both nodes are ready', 30_000, async () => (await cluster.readyNodes()) === 2);
    return cluster;
  }

  /** Waits for a status of the cluster. The aws command line's own waiter looks twice a minute. */
  async is(status: string): Promise<void> {
    await eventually(`the cluster is ${status}`, 30_000, async () => {
      const said = await this.#dabba.aws('eks', 'describe-cluster', '--name', this.#name, '--query', 'cluster.status');
      return said === status;
    });
  }

  async readyNodes(): Promise<number> {
    const { stdout } = await this.run('kubectl', ['get', 'nodes', '--no-headers']);
    return stdout.split('\n').filter((line) => / Ready /.test(line)).length;
  }

  /** Makes the issuer of the cluster's tokens known to IAM; answers it as trust policies name it. `more` are further options of the call. */
  async registerIssuer(...more: readonly string[]): Promise<string> {
    const query = ['--query', 'cluster.identity.oidc.issuer'];
    const issuer = await this.#dabba.aws('eks', 'describe-cluster', '--name', this.#name, ...query);
    const client = ['--client-id-list', 'sts.amazonaws.com'];
    await this.#dabba.aws('iam', 'create-open-id-connect-provider', '--url', issuer, ...client, ...more);
    return issuer.replace('https://', '');
  }

  /** From now on clients show a token of the cluster's own: `aws eks get-token` starts the aws command line anew for every kubectl. */
  async useToken(): Promise<void> {
    const account = ['--namespace', 'kube-system', 'story'];
    await this.kubectl('create', 'serviceaccount', ...account);
    const subject = '--serviceaccount=kube-system:story';
    await this.kubectl('create', 'clusterrolebinding', 'story', '--clusterrole=cluster-admin', subject);
    const token = await this.kubectl('create', 'token', ...account, '--duration=2h');
    await this.kubectl('config', 'set-credentials', 'story', `--token=${token}`);
    await this.kubectl('config', 'set-context', '--current', '--user=story');
  }

  /** Any client with the cluster's kubeconfig. */
  async run(program: string, args: readonly string[], input?: string): Promise<Outcome> {
    return await this.#dabba.client(program, args, {
      ...(input !== undefined && { input }),
      env: { KUBECONFIG: this.kubeconfig, HOME: this.#dabba.work },
    });
  }

  /** kubectl; what it prints. Fails when it fails. */
  async kubectl(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run('kubectl', args);
    assert.equal(status, 0, `kubectl ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  }

  /** Applies manifests. */
  async apply(namespace: string, ...objects: readonly object[]): Promise<string> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    const { status, stdout, stderr } = await this.run('kubectl', ['apply', '-n', namespace, '-f', '-'], list);
    assert.equal(status, 0, `kubectl apply: ${stderr}`);
    return stdout.trim();
  }

  /** kubectl must fail, saying `words`. */
  async refused(words: string | RegExp, args: readonly string[], input?: string): Promise<void> {
    const { status, stdout, stderr } = await this.run('kubectl', args, input);
    assert.notEqual(status, 0, `should have been refused: kubectl ${args.join(' ')}`);
    assert.match(stdout + stderr, typeof words === 'string' ? new RegExp(RegExp.escape(words)) : words);
  }
}
