export { createBuilder } from './builder.ts';
export { buildLabel, type BuilderParts, type DockerfileBuilder, type StepContainers } from './ports.ts';
export { contextPaths } from './context-paths.ts';
