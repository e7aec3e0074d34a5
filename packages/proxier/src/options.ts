/** The flags of the proxier. Their table is in shared: the manager reads in it how long a proxier takes to end. */
export { PROXIER_OPTIONS as OPTIONS } from '@kubeocean/shared/daemon';
