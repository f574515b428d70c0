// Generated from export/gallery.py by `python -m export types`: change the dataclasses, not this file.

/** Version of scenes/index.json that this page reads; any other is refused. */
export const SCHEMA = 1;

/** One scene of a site. */
export interface GalleryScene {
  readonly name: string;
  /** Folder of its bundle, relative to the page, with a slash at its end. */
  readonly path: string;
  /** Picture of its start camera, relative to the page. */
  readonly poster: string;
  /** What WebAssembly downloads for it besides the page, in 10^6 bytes. */
  readonly megabytes: number;
  /** Student against truth on held-out views, in dB; null where that was not measured. */
  readonly psnr: number | null;
}

/** The whole of scenes/index.json. */
export interface Gallery {
  readonly schema: number;
  readonly scenes: readonly GalleryScene[];
}
