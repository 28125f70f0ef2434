import { onMachineOfItsOwn } from './network/machine.ts';

onMachineOfItsOwn('services, policies and load balancers of clusters', 'services.ts');
