/** The Kubernetes version that clusters say they are. */
export const gitVersion = 'v1.34.2';
