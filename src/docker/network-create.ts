import { DabbaError } from '#base';
import type { NetworkCreate } from '#engine';
import type { Fields } from './fields.ts';
import { notManager } from './absent.ts';
import { readTraffic } from './network-options.ts';

/** Reads the body of POST /networks/create. What is honoured nowhere throws `Unimplemented` with its name. */
export function readNetworkCreate(body: Fields): NetworkCreate {
  const name = body.word('Name');
  if (name === undefined) throw new DabbaError('InvalidArgument', 'network name cannot be empty');
  const refuse = (what: string) => {
    throw new DabbaError('Unimplemented', `network ${name}: ${what} is not supported`);
  };
  if (!['', 'local'].includes(body.text('Scope') ?? '')) throw new DabbaError('Unavailable', notManager);
  refuseDriver(body.word('Driver') ?? 'bridge');
  if (body.flag('EnableIPv6')) refuse('IPv6 (EnableIPv6): networks here carry IPv4 alone, so it');
  for (const flag of ['Ingress', 'ConfigOnly']) if (body.flag(flag)) refuse(flag);
  if (body.object('ConfigFrom').isGiven('Network')) refuse('ConfigFrom');
  const options = body.textMap('Options') ?? {};
  const ipam = body.object('IPAM');
  if (!['', 'default'].includes(ipam.text('Driver') ?? '')) refuse(`IPAM driver ${ipam.text('Driver')}`);
  if (ipam.isGiven('Options')) refuse('IPAM.Options');
  const [config, ...more] = ipam.objects('Config');
  // Docker's own bridge driver has no more either; these are its words.
  if (more.length > 0) throw new DabbaError('PermissionDenied', "bridge driver doesn't support multiple subnets");
  return {
    name,
    isInternal: body.flag('Internal'),
    labels: body.textMap('Labels') ?? {},
    options,
    traffic: readTraffic(name, options),
    ...(config && readAddresses(name, config)),
  };
}

type Addresses = Pick<NetworkCreate, 'cidr' | 'gateway' | 'addressRange' | 'auxiliaryAddresses'>;

function readAddresses(name: string, config: Fields): Addresses {
  const auxiliaryAddresses = config.textMap('AuxiliaryAddresses') ?? {};
  const isReserving = Object.keys(auxiliaryAddresses).length > 0;
  const [cidr, gateway, addressRange] = ['Subnet', 'Gateway', 'IPRange'].map((member) => config.word(member));
  if (cidr === undefined && ((gateway ?? addressRange) !== undefined || isReserving))
    throw new DabbaError('InvalidArgument', `network ${name}: IPAM.Config without a Subnet`);
  return {
    ...(cidr !== undefined && { cidr }),
    ...(gateway !== undefined && { gateway }),
    ...(addressRange !== undefined && { addressRange }),
    ...(isReserving && { auxiliaryAddresses }),
  };
}

function refuseDriver(driver: string): void {
  if (driver === 'host' || driver === 'null')
    throw new DabbaError('PermissionDenied', `only one instance of "${driver}" network is allowed`);
  if (driver !== 'bridge' && driver !== 'default')
    throw new DabbaError('NotFound', `could not find a network driver named ${driver}: plugin "${driver}" not found`);
}
