"""Light-field networks, one file each, behind the protocol of `base`."""
