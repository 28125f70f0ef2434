/** A count or a share of `total`: `3`, `"25%"`. Behaviour: apimachinery `util/intstr`, "GetScaledValueFromIntOrPercent". */
export function scaledAmount(value: string | number, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  if (percent === undefined) return 0;
  const share = (Number(percent) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
