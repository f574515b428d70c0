"""Stage 1: images and cameras in, a radiance field and the views it renders out."""
