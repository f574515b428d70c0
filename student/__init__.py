"""Stage 2: views of a teacher in, a light-field network out (one forward pass per picture)."""
