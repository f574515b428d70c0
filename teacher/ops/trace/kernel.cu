// Following rays through a field that is opaque somewhere: marching, density, colour and their
// sums in one go, so that nothing behind the first surface is ever looked at.
#if defined(__CUDACC_RTC__)
#include "trace/gpu.cuh"
#else
#include "trace/cpu.cuh"
#endif
