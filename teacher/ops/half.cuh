// float16 in pairs, without CUDA's headers. A pair is a u32 whose low half is the first value.
//
// Tests run GPU kernels on a CPU: there tests/emulator.hpp, which defines EMULATED, has these
// functions.

#if !defined(EMULATED)

INLINE u32 pack(float first, float second) {
  u32 pair;
#if __CUDA_ARCH__ >= 800
  asm("cvt.rn.f16x2.f32 %0, %2, %1;" : "=r"(pair) : "f"(first), "f"(second));
#else
  asm("{.reg .b16 a, b; cvt.rn.f16.f32 a, %1; cvt.rn.f16.f32 b, %2; mov.b32 %0, {a, b};}"
      : "=r"(pair)
      : "f"(first), "f"(second));
#endif
  return pair;
}

INLINE float first_of(u32 pair) {
  float value;
  asm("{.reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, a;}" : "=f"(value) : "r"(pair));
  return value;
}

INLINE float second_of(u32 pair) {
  float value;
  asm("{.reg .b16 a, b; mov.b32 {a, b}, %1; cvt.f32.f16 %0, b;}" : "=f"(value) : "r"(pair));
  return value;
}

// Adds both values to the pair in global memory, each atomically.
INLINE void add_pair(u32* to, u32 pair) {
  asm volatile("red.global.add.noftz.f16x2 [%0], %1;" ::"l"(to), "r"(pair) : "memory");
}

#endif
