/**
 * Presets that are drawn in the browser at their full width; the `_small` ones are the same networks,
 * narrower.
 */
export const PRESETS = ["tiny", "pocket", "mobile_r2l", "mobile_r2l_paper", "light_slab"];
