// The part of yazl that is used; the package has no types.
declare module 'yazl' {
  import type { EventEmitter } from 'node:events';
  import type { PassThrough, Readable } from 'node:stream';

  export class ZipFile extends EventEmitter {
    readonly outputStream: PassThrough;
    addBuffer(content: Buffer, path: string, options?: { mtime?: Date }): void;
    addReadStream(content: Readable, path: string, options?: { mtime?: Date; compressionLevel?: number }): void;
    end(): void;
  }
}
