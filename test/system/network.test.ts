import { onMachineOfItsOwn } from './network/machine.ts';

onMachineOfItsOwn('the network plane, on a machine of its own', 'plane.ts');
