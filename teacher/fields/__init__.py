"""Radiance fields, one file each: the configuration on top, the module below, behind `base.Field`."""
