/** Policies that AWS publishes and that people attach by ARN, `arn:aws:iam::aws:policy/<path><name>` (AWS Managed Policy Reference Guide). */
export interface ManagedPolicy {
  readonly arn: string;
  readonly path: string;
  readonly name: string;
  readonly description: string;
  readonly document: string;
}

export interface Grant {
  readonly actions?: readonly string[];
  readonly notActions?: readonly string[];
  /** Default: everything. */
  readonly resources?: readonly string[];
}

/** A policy with a statement for each grant, as the reference guide shows its default version. */
export function managed(path: string, name: string, description: string, ...grants: readonly Grant[]): ManagedPolicy {
  const Statement = grants.map(({ actions, notActions, resources }) => ({
    Effect: 'Allow',
    ...(actions && { Action: actions }),
    ...(notActions && { NotAction: notActions }),
    Resource: resources ?? '*',
  }));
  const document = JSON.stringify({ Version: '2012-10-17', Statement });
  return { arn: `arn:aws:iam::aws:policy${path}${name}`, path, name, description, document };
}
