/** The controllers that admission rests on: quotas counted again, and what in use is protected let go once it is not. */
import type { Controller, ControllerParts } from '../controllers/controller.ts';
import { quotaController } from './quota/controller.ts';
import { claimProtectionController, volumeProtectionController } from './storage-protection-controllers.ts';

export function admissionControllers(parts: ControllerParts): readonly Controller[] {
  return [quotaController(parts), claimProtectionController(parts), volumeProtectionController(parts)];
}
