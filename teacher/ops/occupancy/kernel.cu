// The density grid's moving maximum (instant-ngp): decay every cell, then raise the sampled ones.
#define CHUNK 16384

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
