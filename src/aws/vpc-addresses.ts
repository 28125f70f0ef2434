/** The AWS endpoint as everything inside a VPC finds it: at AWS a host name and public addresses for each service, here one address of the fabric. */
export const ENDPOINT_ADDRESS = '169.254.170.66';
export const ENDPOINT_PORT = 80;
export const ENDPOINT_URL = `http://${ENDPOINT_ADDRESS}`;

/** Where instances find the metadata service: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata". */
export const METADATA_ADDRESS = '169.254.169.254';
export const METADATA_PORT = 80;

/** Where pods with an association ask for credentials: Amazon EKS User Guide, "How EKS Pod Identity works". */
export const POD_IDENTITY_ADDRESS = '169.254.170.23';
export const POD_IDENTITY_PORT = 80;

/** A caller inside a VPC, by the address it has there, which nobody else in the VPC can have. */
export interface VpcCaller {
  readonly vpcId: string;
  readonly address: string;
}
