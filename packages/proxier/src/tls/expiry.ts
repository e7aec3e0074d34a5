/** When the serving certificate ends, as a metric. */
import { Gauge, type Registry } from '@kubeocean/shared/daemon';

/** Gives what is to be told of each certificate. Before the first, which may take minutes, there is no figure: zero would be 1970. */
export function expiryMetric(registry: Registry): (validTo: Date) => void {
  let gauge: Gauge | undefined;
  return (validTo) => {
    gauge ??= new Gauge({
      name: 'kubeocean_proxier_certificate_expiry_timestamp_seconds',
      help: 'When the serving certificate in use ends, in seconds since 1970',
      registers: [registry],
    });
    gauge.set(validTo.getTime() / 1000);
  };
}
