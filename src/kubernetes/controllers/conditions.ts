/** Lists of conditions, one of each type. */

export interface AnyCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export function conditionOf<T extends AnyCondition>(
  conditions: readonly T[] | undefined,
  type: T['type'],
): T | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly AnyCondition[] | undefined, type: string): boolean {
  return conditionOf(conditions, type)?.status === 'True';
}

/** Puts the condition in the place of the one of its type; the transition time stays while the status does. */
export function withCondition<T extends AnyCondition>(conditions: readonly T[], condition: T): readonly T[] {
  const old = conditionOf(conditions, condition.type);
  const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : condition.lastTransitionTime;
  const next = { ...condition, ...(lastTransitionTime !== undefined && { lastTransitionTime }) };
  return old ? conditions.map((each) => (each === old ? next : each)) : [...conditions, next];
}

export function withoutCondition<T extends AnyCondition>(conditions: readonly T[], type: T['type']): readonly T[] {
  return conditions.filter((condition) => condition.type !== type);
}
