/** What the parts of a control plane say, for whoever keeps it: lines as the programs of upstream write them. */
import type { LogFields, Logger } from '#base';

/** The programs, and the audit log, in EKS's words. */
export type ControlPlaneLog = 'api' | 'audit' | 'authenticator' | 'controllerManager' | 'scheduler';

export interface ControlPlaneLogs {
  /** Whether a log is wanted now; what is not need not be made. */
  wants(log: ControlPlaneLog): boolean;
  /** Never waits and never throws. */
  write(log: ControlPlaneLog, line: string): void;
}

/** A logger that also writes to one of the logs, in klog's format: Kubernetes documentation, "System Logs". */
export function alsoTo(
  logs: ControlPlaneLogs | undefined,
  log: ControlPlaneLog,
  logger: Logger,
  now: () => number,
): Logger {
  if (!logs) return logger;
  const line = (severity: 'I' | 'W' | 'E', message: string, fields: LogFields = {}) => {
    if (!logs.wants(log)) return;
    const at = new Date(now()).toISOString();
    const stamp = `${severity}${at.slice(5, 7)}${at.slice(8, 10)} ${at.slice(11, 23)}000       1 ${log}]`;
    const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
    logs.write(
      log,
      [stamp, JSON.stringify(message), ...pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(' '),
    );
  };
  const made = (inner: Logger, own: LogFields): Logger => ({
    info(message, fields) {
      inner.info(message, fields);
      line('I', message, { ...own, ...fields });
    },
    warn(message, fields) {
      inner.warn(message, fields);
      line('W', message, { ...own, ...fields });
    },
    error(message, fields) {
      inner.error(message, fields);
      line('E', message, { ...own, ...fields });
    },
    with: (fields) => made(inner.with(fields), { ...own, ...fields }),
  });
  return made(logger, {});
}
