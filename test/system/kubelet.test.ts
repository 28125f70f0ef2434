import { onMachineOfItsOwn } from './network/machine.ts';

onMachineOfItsOwn('nodes and their pods, on a machine of their own', '../kubelet/pods.ts');
