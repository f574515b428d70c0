/** How fast a hand moves the camera, in all the ways it can. */

/** Per second. */
export interface Rates {
  /** Radians, as `turned` takes them. */
  readonly azimuth: number;
  readonly elevation: number;
  /** Heights of the picture, as `panned` takes them. */
  readonly x: number;
  readonly y: number;
  /** Natural logarithm of the size of things. */
  readonly zoom: number;
}

export type Channel = keyof Rates;
export const CHANNELS: readonly Channel[] = ["azimuth", "elevation", "x", "y", "zoom"];

export const STILL: Rates = { azimuth: 0, elevation: 0, x: 0, y: 0, zoom: 0 };

/** Each channel of `change`. */
export function rates(change: (channel: Channel) => number): Rates {
  return {
    azimuth: change("azimuth"),
    elevation: change("elevation"),
    x: change("x"),
    y: change("y"),
    zoom: change("zoom"),
  };
}

export const isStill = (r: Rates): boolean => CHANNELS.every((channel) => r[channel] === 0);
export const sum = (a: Rates, b: Rates): Rates => rates((channel) => a[channel] + b[channel]);
