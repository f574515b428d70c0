// The density grid (instant-ngp): decay every cell, raise the sampled ones; from it the bits that
// rays march through, in Morton order.
#define CHUNK 4096
typedef unsigned long long u64;

ENTRY occupancy_decay(
    i64 items,
    float* __restrict__ density,  // [items]; negative: no camera sees the cell
    float decay,
    i64 threads) {
  FOR_EACH_ITEM(cell) {
    float d = density[cell];
    density[cell] = d < 0 ? d : d * decay;
  }
}

// Raises *cell to `value` if that is more; both are >= 0, where floats are ordered as their bits
// are. Several samples may fall into one cell: their maximum does not depend on their order.
INLINE void raise(float* cell, float value) {
#if defined(__CUDACC_RTC__)
  atomicMax((int*)cell, __float_as_int(value));
#else
  float seen;
  __atomic_load(cell, &seen, __ATOMIC_RELAXED);
  while (seen < value && !__atomic_compare_exchange(cell, &seen, &value, true, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED)) {
  }
#endif
}

ENTRY occupancy_raise(
    i64 items,
    float* density,                    // [cells]
    const i64* __restrict__ indices,   // [items]
    const float* __restrict__ values,  // [items]
    i64 threads) {
  FOR_EACH_ITEM(i) {
    float* cell = density + indices[i];
    if (!(*cell < 0) && values[i] > 0) raise(cell, values[i]);
  }
}

// Every third bit of x < 2^30, from the lowest on: an axis of a Morton code.
INLINE u32 gather(u32 x) {
  x &= 0x09249249;
  x = (x | x >> 2) & 0x030c30c3;
  x = (x | x >> 4) & 0x0300f00f;
  x = (x | x >> 8) & 0x030000ff;
  return (x | x >> 16) & 0x000003ff;
}

// The inverse: the bits of x < 1024, two zeros after each.
INLINE u32 spread(u32 x) {
  x = (x | x << 16) & 0x030000ff;
  x = (x | x << 8) & 0x0300f00f;
  x = (x | x << 4) & 0x030c30c3;
  return (x | x << 2) & 0x09249249;
}

// Items are words of one cascade's bits, 4 x 4 x 4 cells, of which a byte is 2 x 2 x 2. Where the
// finer cascade lies, a cell is occupied too if any of the eight in its place is: those are one
// byte of that cascade, and the eight cells' places one word.
ENTRY occupancy_bits(
    i64 items,
    const float* __restrict__ density,  // [cells, cells, cells]
    const float* __restrict__ level,    // [1]: occupied is what is above it
    const u64* __restrict__ finer,      // the finer cascade's bits, or null
    i64 cells,
    u64* __restrict__ words,  // [items]
    i64 threads) {
  float above = *level;
  u32 n = (u32)cells, quarter = n / 4, half = n / 2;
  FOR_EACH_ITEM(item) {
    u32 code = (u32)item;
    u32 low[3] = {4 * gather(code), 4 * gather(code >> 1), 4 * gather(code >> 2)};
    u64 word = 0;
    for (u32 byte = 0; byte < 8; byte++) {
      u32 x = low[0] + 2 * (byte & 1), y = low[1] + (byte & 2), z = low[2] + (byte >> 1 & 2);
      const float* cell = density + ((i64)x * n + y) * n + z;
      u32 found = 0;
      UNROLL
      for (u32 i = 0; i < 8; i++) {
        float value = cell[((i & 1) * n + (i >> 1 & 1)) * n + (i >> 2)];
        found |= (u32)(value > above) << i;
      }
      // Unsigned: what is below the middle half wraps round and is beyond it.
      u32 u = x - quarter, v = y - quarter, w = z - quarter;
      if (finer && u < half && v < half && w < half) {
        u64 inside = finer[spread(u / 2) | spread(v / 2) << 1 | spread(w / 2) << 2];
        UNROLL
        for (u32 i = 0; i < 8; i++) found |= (u32)((inside >> 8 * i & 255) != 0) << i;
      }
      word |= (u64)found << 8 * byte;
    }
    words[item] = word;
  }
}
