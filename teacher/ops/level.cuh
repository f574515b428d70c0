// One level of a multiresolution hash grid, as teacher/ops/hash_encode/grid.py lays it out.

struct Level {
  float scale;
  u32 resolution, offset, size, hashed;
};

// The spatial hash's factors, one per axis.
constexpr u32 PRIMES[4] = {1u, 2654435761u, 805459861u, 3674653429u};

// Into [0, 1]; NaN becomes 0, so that a row is always in the table.
INLINE float clamped(float x) {
  x = x > 0 ? x : 0;
  return x < 1 ? x : 1;
}
