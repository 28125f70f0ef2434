/** Pods on one node, suite by suite; the last takes the node away. */
import './running.ts';
import './configuration.ts';
import './volumes.ts';
import './probes.ts';
import './confinement.ts';
import './user-namespaces.ts';
import './streams.ts';
import './survival.ts';
