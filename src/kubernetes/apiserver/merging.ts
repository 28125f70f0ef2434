/** The ways of changing objects, as the API server uses them. */
import { apply } from '../merge/apply.ts';
import { jsonPatch } from '../merge/json-patch.ts';
import { mergePatch } from '../merge/merge-patch.ts';
import { strategicPatch } from '../merge/strategic.ts';
import { trackManagers } from '../merge/track.ts';
import type { ApiParts } from './parts.ts';

export const merging: ApiParts['merge'] = { jsonPatch, mergePatch, strategicPatch, apply, trackManagers };
