"""The fused field on a CPU (being written)."""

def fits(weights):
    return False
