// The fused hash-grid field: two kernels for two kinds of machine, of one definition (reference.py).
#if defined(__CUDACC_RTC__)
#include "radiance/gpu.cuh"
#else
#include "radiance/cpu.cuh"
#endif
