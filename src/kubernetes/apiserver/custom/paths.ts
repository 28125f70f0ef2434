import { type FieldError, StatusError } from '../../status.ts';
import type { CustomResourceDefinition } from '../../types.ts';
import { parseJsonPath } from './json-path.ts';

/** The JSON paths of a definition that nobody could follow. */
export function pathErrors({ spec }: CustomResourceDefinition): readonly FieldError[] {
  return (spec?.versions ?? []).flatMap(({ additionalPrinterColumns, subresources, selectableFields }, version) => {
    const at = `spec.versions[${version}]`;
    const { specReplicasPath, statusReplicasPath, labelSelectorPath } = subresources?.scale ?? {};
    const paths = [
      ...(additionalPrinterColumns ?? []).map(({ jsonPath }, index) => [
        `${at}.additionalPrinterColumns[${index}].jsonPath`,
        jsonPath,
      ]),
      ...(selectableFields ?? []).map(({ jsonPath }, index) => [`${at}.selectableFields[${index}].jsonPath`, jsonPath]),
      [`${at}.subresources.scale.specReplicasPath`, specReplicasPath],
      [`${at}.subresources.scale.statusReplicasPath`, statusReplicasPath],
      [`${at}.subresources.scale.labelSelectorPath`, labelSelectorPath],
    ] as const;
    return paths.flatMap(([field = '', path]) => (path === undefined || isPath(path) ? [] : [wrong(field, path)]));
  });
}

function isPath(path: string): boolean {
  try {
    parseJsonPath(path);
    return true;
  } catch (error) {
    if (error instanceof StatusError) return false;
    throw error;
  }
}

function wrong(field: string, path: string): FieldError {
  return { type: 'Invalid value', field, message: `Invalid value: ${JSON.stringify(path)}: is an invalid JSON path` };
}
