/** A page of a list as text: what is taken from it before it is parsed. */

const HEAD = /^\{"kind":"[^"]{1,200}","apiVersion":"[^"]{1,200}","metadata":(\{[^{}]*\}),"items":\[/;
/** Tokens are some 200 bytes long. */
const LONGEST_HEAD = 4096;

/**
 * The `continue` token of a page whose metadata come first, as in all lists but those of custom resources, whose keys are
 * sorted; undefined when there is none, or when it takes a parser to tell.
 */
export function continueIn(page: string): string | undefined {
  const metadata = HEAD.exec(page.slice(0, LONGEST_HEAD))?.[1];
  if (metadata === undefined) return undefined;
  try {
    return (JSON.parse(metadata) as { continue?: string }).continue || undefined;
  } catch {
    return undefined;
  }
}

const MANAGED = ',"managedFields":[';
const BEFORE_SPEC = ']},"spec":';
const METADATA = '"metadata":{';

/**
 * The text of a page without its objects' managedFields, for Kubernetes' own kinds all objects of which have a spec: a third
 * to a half of a pod's text, which nobody reads. They are the last field of metadata there, so that the next spec is the
 * same object's; a quote within a string is escaped, so no mark can stand in a text that somebody chose. Where an object is
 * not as described, it and what follows stay as they are.
 */
export function pageWithoutManagedFields(page: string): string {
  const kept: string[] = [];
  let from = 0;
  for (;;) {
    const start = page.indexOf(MANAGED, from);
    const end = start < 0 ? -1 : page.indexOf(BEFORE_SPEC, start + MANAGED.length);
    if (end < 0) break;
    // Another object has begun in between.
    const next = page.indexOf(METADATA, start);
    if (next >= 0 && next < end) break;
    kept.push(page.slice(from, start));
    from = end + 1;
  }
  if (from === 0) return page;
  kept.push(page.slice(from));
  return kept.join('');
}
