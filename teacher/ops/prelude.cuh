// Stands before every kernel.cu: what NVRTC (a GPU) and g++ (a CPU) have to call differently.
//
// An entry point is `ENTRY name(i64 items, <arguments>, i64 threads) { FOR_EACH_ITEM(i) {...} }`.
// Its items are independent: a GPU gives each a thread of its own, a CPU deals them out, CHUNK at
// a time, to `threads` OpenMP threads.
#if defined(__CUDACC_RTC__)

#define INLINE __device__ __forceinline__
#define INLINE_MEMBER __device__ __forceinline__
#define ENTRY extern "C" __global__ void
#define UNROLL _Pragma("unroll")
#define FOR_EACH_ITEM(i)                                          \
  long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; \
  if (i < items)

#else

#include <cmath>
#define INLINE static inline
#define INLINE_MEMBER inline
#define ENTRY extern "C" void
#define UNROLL _Pragma("GCC unroll 16")
#define __restrict__ __restrict
#define FOR_EACH_ITEM(i)                                                         \
  _Pragma("omp parallel for num_threads((int)threads) schedule(dynamic, CHUNK)") \
  for (long long i = 0; i < items; i++)

#endif

typedef unsigned char u8;
typedef unsigned int u32;
typedef long long i64;
