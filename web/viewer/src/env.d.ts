/** A file that the build has gzipped (vite.runtimes.ts). */
interface PackedFile {
  readonly url: string;
  /** Bytes as it lies on the host, gzipped. */
  readonly packed: number;
  /** Bytes and SHA-256 of its content. */
  readonly bytes: number;
  readonly sha256: string;
}

declare module "onnxruntime-web/*?packed" {
  const file: PackedFile;
  export default file;
}

declare module "onnxruntime-web/*?url" {
  const url: string;
  export default url;
}
