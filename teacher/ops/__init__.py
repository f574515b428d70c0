"""The teacher's kernels: one folder per op, one source for CUDA and for the CPU, a pure-torch reference beside it.

    teacher/ops/<op>/__init__.py    checks, dispatch on the tensors' device, autograd
                     reference.py   the op's definition in plain torch: oracle of the kernels, and their fallback
                     kernel.cu      CUDA C++ without headers, which NVRTC compiles for a GPU and g++ for a CPU

`build.py` compiles and caches, `launch.py` chooses and starts. An op's wrapper and its reference have one name and one
signature. A new op is a new folder: the tests discover it.
"""
