/** Run as a process of its own, so that the memory it takes is given back: `node main.ts PROGRAMS MODELS TARGET`. */
import { generate } from './generate.ts';

const [programsPackage, modelsPackage, target] = process.argv.slice(2);
if (!programsPackage || !modelsPackage || !target) throw new Error('usage: main.ts PROGRAMS MODELS TARGET');
generate({ programsPackage, modelsPackage, target });
