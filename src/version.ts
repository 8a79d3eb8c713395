// Which version of Reinstate this is: what erasure certificates name.
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';

const manifest = JSON.parse(readFileSync(findPackageJSON(import.meta.url)!, 'utf8')) as { name: string; version: string };

/** As in "reinstate 0.1.0". */
export const softwareVersion = `${manifest.name} ${manifest.version}`;
