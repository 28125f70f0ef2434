/**
 * An error of an AWS API as its model declares it. `code` is the error shape's name (`ClusterNotFoundException`) or a free string where the
 * model has none (EC2's `InvalidVpcID.NotFound`); the edge finds status and wire code from the model. `status` overrides what the model says.
 */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number | undefined;
  /** Further members of the error's shape. */
  readonly members: { readonly [name: string]: unknown };

  constructor(
    code: string,
    message: string,
    options: {
      readonly status?: number;
      readonly members?: { readonly [name: string]: unknown };
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AwsError';
    this.code = code;
    this.status = options.status;
    this.members = options.members ?? {};
  }
}
