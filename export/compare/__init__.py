"""Truth, teacher, student and exports side by side, from the same camera: pictures, maps, figures, times."""
