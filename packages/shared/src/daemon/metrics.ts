/** The metric classes, through one door: every process registers its metrics with the registry of its frame. */
export { Counter, Gauge, Histogram, Registry } from 'prom-client';
