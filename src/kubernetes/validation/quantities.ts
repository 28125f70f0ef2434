/** Resource names and amounts: `pkg/apis/core/validation`, "ValidateResourceRequirements". */
import { compareQuantities, isQuantity, milliValue, parseQuantity } from '../quantity.ts';
import type { Container } from '../types.ts';
import { invalidValue, messagesOf, required, when, type Errors } from './field.ts';
import { qualifiedName } from './names.ts';

type Amounts = { readonly [name: string]: string } | undefined;

export const quantityPattern =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** A quantity that is none, or is less than nothing. */
export function amountErrors(value: string, field: string): Errors {
  if (!isQuantity(value)) return [invalidValue(field, value, quantityPattern)];
  return when(parseQuantity(value).nano < 0n, () => invalidValue(field, value, 'must be greater than or equal to 0'));
}

export function positiveAmountErrors(value: string, field: string): Errors {
  if (!isQuantity(value)) return [invalidValue(field, value, quantityPattern)];
  return when(parseQuantity(value).nano <= 0n, () => invalidValue(field, value, 'must be greater than zero'));
}

const standardContainerResources = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-');
}

/** Resources of other vendors: whole numbers, never overcommitted. */
export function isExtended(name: string): boolean {
  return name.includes('/') && !/(?:^|\.)kubernetes\.io\//.test(name) && !name.startsWith('requests.');
}

export function isInteger(value: string): boolean {
  return milliValue(value) % 1000 === 0;
}

export function containerResourceErrors(resources: Container['resources'], field: string): Errors {
  const { requests, limits, claims } = resources ?? {};
  return [
    ...sideErrors(limits, `${field}.limits`),
    ...sideErrors(requests, `${field}.requests`),
    ...Object.entries(requests ?? {}).flatMap(([name, request]) =>
      exceedErrors(name, request, limits?.[name], `${field}.requests`),
    ),
    ...Object.keys(limits ?? {}).flatMap((name) =>
      when(!requests?.[name] && isHugePages(name) && requests !== undefined, () =>
        required(`${field}.requests`, `hugepages requests must be specified`),
      ),
    ),
    ...when(
      claims?.some(({ name }) => !name),
      () => required(`${field}.claims`, 'name is required'),
    ),
  ];
}

function sideErrors(amounts: Amounts, field: string): Errors {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    const path = `${field}[${name}]`;
    return [...resourceNameErrors(name, path), ...amountErrors(amount, path), ...wholeErrors(name, amount, path)];
  });
}

function resourceNameErrors(name: string, field: string): Errors {
  const form = messagesOf(qualifiedName(name), field, name);
  if (form.length > 0 || name.includes('/') || standardContainerResources.has(name) || isHugePages(name)) return form;
  return [
    invalidValue(field, name, 'must be a standard resource type or fully qualified'),
    invalidValue(field, name, 'must be a standard resource for containers'),
  ];
}

function wholeErrors(name: string, amount: string, field: string): Errors {
  const isWhole = isExtended(name) || isHugePages(name);
  return when(isWhole && isQuantity(amount) && !isInteger(amount), () =>
    invalidValue(field, amount, 'must be an integer'),
  );
}

function exceedErrors(name: string, request: string, limit: string | undefined, field: string): Errors {
  if (limit === undefined || !isQuantity(request) || !isQuantity(limit)) {
    return when(limit === undefined && isExtended(name), () =>
      required(field.replace(/requests$/, 'limits'), 'Limit must be set for non overcommitable resources'),
    );
  }
  const difference = compareQuantities(request, limit);
  if (difference > 0) return [invalidValue(field, request, `must be less than or equal to ${name} limit of ${limit}`)];
  const isFixed = isExtended(name) || isHugePages(name);
  return when(isFixed && difference !== 0, () =>
    invalidValue(field, request, `must be equal to ${name} limit of ${limit}`),
  );
}

/** Any list of amounts by resource: nodes, quotas. */
export function resourceListErrors(amounts: Amounts, field: string): Errors {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => [
    ...messagesOf(qualifiedName(name), `${field}[${name}]`, name),
    ...amountErrors(amount, `${field}[${name}]`),
  ]);
}
